import KelvinModel
import Testing

@testable import KelvinAgenda

/// `deploy`: which image a job's board must run.
@Suite struct DeployTests {
  private func read(_ agenda: String, isLocal: Bool = false) -> Reading {
    Reading(["agenda.yaml": agenda, "k": "kernel"]) { request, _ in
      request.isLocalTarget = isLocal
    }
  }

  @Test func eachLevelAddsToThoseBefore() throws {
    let reading = read(
      """
      config: {deploy: {by: kexec, kernel: /k, command_line: quiet}}
      sections:
        - {id: a, deploy: {kernel: /a}}
        - {id: b, deploy: none}
      workloads:
        - idle
        - {name: idle, deploy: {command_line: loud, kernel: /w}}
      """)
    #expect(reading.lines == [])
    #expect(
      reading.spec("a-wk1")?.deployment
        == Deployment(way: .kexec, kernel: "/a", commandLine: "quiet"))
    #expect(
      reading.spec("a-wk2")?.deployment
        == Deployment(way: .kexec, kernel: "/w", commandLine: "loud"))
    #expect(reading.spec("b-wk1")?.deployment == nil)
    #expect(reading.spec("b-wk2")?.deployment == Deployment(kernel: "/w", commandLine: "loud"))
    #expect(reading.spec("a-wk1")?.provenance["deploy.kernel"]?.line == 3)
    #expect(reading.spec("a-wk1")?.provenance["deploy.by"]?.line == 1)
    #expect(reading.spec("b-wk1")?.provenance["deploy.by"] == nil)
  }

  @Test func pathsAreRelativeToTheFileThatNamesThem() {
    let path = read("workloads: [{name: idle, deploy: {kernel: k}}]").specs.first?.deployment?
      .kernel
    #expect(path?.hasPrefix("/") == true && path?.hasSuffix("/k") == true)
  }

  @Test(arguments: [
    ("{by: kexcc, kernel: /k}", "did you mean 'kexec'?"),
    ("{kernal: /k}", "unknown key 'kernal'"), ("yes", "expected none or a map"),
    ("{by: kexec}", "by: no image is named"),
    ("{by: kexec, initrd: /i, verify: x}", "'kernel' is missing"),
    ("{by: uboot, kernel: /k, root: /r}", "root: 'uboot' starts a kernel"),
    ("{by: fastboot, kernel: /k, command_line: x}", "gives the kernel no command line"),
    ("{by: sd-mux, kernel: /k, root: /r}", "kernel: 'sd-mux' writes one image"),
    ("{by: command, root: /r}", "root: nothing would show that the board runs it"),
    ("{kernel: /k, build_id: xyz}", "build_id: 'xyz' is no build id"),
    ("{kernel: /bad}", "kernel: not an image")
  ])
  func mistakesAreTold(deploy: String, message: String) {
    let lines = read("workloads: [{name: idle, deploy: \(deploy)}]").errors
    #expect(lines.count >= 1 && lines.contains { $0.contains(message) }, "\(lines)")
    #expect(lines.allSatisfy { $0.hasPrefix("agenda.yaml:1:") }, "\(lines)")
  }

  @Test func deployingBootsTheBoard() {
    let lines = read(
      """
      config: {reboot_policy: never}
      workloads: [{name: idle, deploy: {by: kexec, kernel: /k}}]
      """
    ).errors
    #expect(
      lines.count == 1 && lines[0].hasPrefix("agenda.yaml:1:10: error: 'reboot_policy' is never"))
  }

  /// What a reboot does not undo would be there for jobs that did not ask for it.
  @Test(arguments: [("kexec", false), ("command", true)])
  func aJobWithoutAnImageDoesNotInheritOne(way: String, isRefused: Bool) {
    let lines = read("workloads: [idle, {name: idle, deploy: {by: \(way), kernel: /k}}]").errors
    #expect(lines.isEmpty == !isRefused)
    #expect(
      !isRefused || lines[0].contains("spec 'wk1' deploys nothing, and what 'wk2' writes stays"))
  }

  @Test func thisMachineIsNotDeployedTo() {
    let lines = read("workloads: [{name: idle, deploy: {by: kexec, kernel: /k}}]", isLocal: true)
      .errors
    #expect(lines.count == 1 && lines[0].contains("this machine runs Kelvin"))
  }

  @Test func plansShowIt() throws {
    let reading = read("workloads: [{name: idle, deploy: {by: kexec, kernel: /k}}, idle]")
    let plan = try #require(reading.plan)
    let text = PlanText.render(plan).split(separator: "\n").map(String.init)
    #expect(
      text.contains { $0.contains("deploy.kernel") && $0.contains("/k") && $0.contains(":1:") })
    let specs = try #require(Value(json: PlanJSON.render(plan))?.map?["specs"]?.list)
    #expect(specs[0].map?["deploy"] == ["by": "kexec", "kernel": "/k"])
    #expect(specs[1].map?["deploy"] == .some(.null))
  }

  @Test(arguments: [
    (DeployWays(), Deployment(kernel: "/k"), nil, "describes no way"),
    (DeployWays(), Deployment(way: .kexec), Deployment.Way.kexec, ""),
    (DeployWays(), Deployment(way: .uboot), nil, "has no 'uboot'"),
    (DeployWays([.command: [:]]), Deployment(kernel: "/k"), .command, ""),
    (DeployWays([.command: [:], .uboot: [:]]), Deployment(), nil, "several ways: command, uboot")
  ])
  func aBoardHasItsWays(
    ways: DeployWays, deployment: Deployment, way: Deployment.Way?, message: String
  ) {
    do throws(Deployment.Refusal) {
      #expect(try ways.way(of: deployment) == way)
    } catch {
      #expect(way == nil && error.message.contains(message), "\(error)")
    }
  }
}
