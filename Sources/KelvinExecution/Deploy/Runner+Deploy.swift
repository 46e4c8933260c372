internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets
internal import Synchronization

// The image that a job needs: deployed when the board does not run it, and shown to run.
//
// Asked before each attempt, so that what a reboot, a recovery or a power cycle has done away with is
// deployed anew.
extension Runner {
  /// Connects to the board; one that boots nothing by itself is given what the first job needs, and so is
  /// one that may boot nothing since what was brought to it last never came to an end.
  func connect() async throws {
    do {
      try await run.link.bringBack(
        run.target.connection, until: .after(seconds: 60, interrupt: run.stop))
      targetFingerprint = try await run.target.facts(
        until: .after(seconds: 60, interrupt: run.stop)
      ).fingerprint
    } catch {
      let failure = error as? ConnectionFailure
      guard let failure, failure.code != .interrupted, let equipment = request.deploy,
        try !equipment.bootsItself || wasCutOff(equipment),
        let first = request.pending.first,
        let wanted = request.plan.specs[request.plan.jobs[first.position].spec].deployment
      else { throw error }
      run.log.log(
        .info, source: "deploy",
        "\(run.target.name): does not answer, and "
          + (equipment.bootsItself
            ? "what was deployed last never came to an end" : "boots nothing by itself")
          + ": \(failure.message)")
      _ = try await apply(try images(of: wanted), by: try way(of: wanted, equipment), equipment) {
        run.log.log(.info, source: "deploy", $0)
      }
    }
    try await noteBoot()
  }

  /// Whether the process that deployed last did not come to see what runs.
  private func wasCutOff(_ equipment: DeployEquipment) throws -> Bool {
    try equipment.journal.last()?.boardBootID.isEmpty ?? false
  }

  /// Brings the board to what a job needs; a job that needs nothing gets what the board boots by itself.
  func deploy(_ job: JobContext) async throws {
    // A health check is made of whatever the board runs.
    guard let equipment = request.deploy, job.position != Runner.checkIndex else { return }
    guard !run.target.connection.capabilities.isThisMachine else {
      throw PlainFailure(
        .configuration, "this machine runs Kelvin, and nothing is deployed to it",
        hint: "name a board of the bench: --board")
    }
    let last = try equipment.journal.last()
    // Neither is anything wanted, nor is there anything to be rid of.
    if job.spec.deployment == nil, last?.isVolatile != true || !equipment.bootsItself { return }
    let running = try await RunningKernel.read(
      through: run.target.connection, until: .after(seconds: 60, interrupt: run.stop))
    guard let wanted = job.spec.deployment else {
      guard let last, last.isInMemory(in: running.bootID) else {
        // It went with a boot.
        return try equipment.journal.note(nil)
      }
      try await bootOwnImage(equipment, "this job deploys nothing")
      job.addFingerprint(targetFingerprint)
      return
    }
    let images = try images(of: wanted)
    let way = try way(of: wanted, equipment)
    try checkMachine(images)
    var kernel = running
    if try await !holds(images, way, last, running) {
      do {
        kernel = try await apply(images, by: way, equipment) {
          job.record(.info, source: "deploy", $0)
        }
      } catch {
        job.state.withLock { $0.deploymentFailed = true }
        throw error
      }
    }
    job.addFingerprint(targetFingerprint)
    job.addFingerprint(Runner.fingerprint(images, way, kernel))
  }

  /// Puts back what the board boots by itself, when the run ends.
  func restoreImage() async {
    guard let equipment = request.deploy, equipment.bootsItself, bailReason == nil,
      run.targetResponds
    else { return }
    do {
      guard let last = try equipment.journal.last(), last.isVolatile else { return }
      guard !run.stop.isRaised else {
        run.log.log(
          .warning, source: "deploy",
          "\(run.target.name): still runs what was deployed by \(last.way); it goes with the next boot"
        )
        return
      }
      let bootID = try await run.target.bootID(until: .after(seconds: 10, interrupt: run.stop))
      guard last.isInMemory(in: bootID) else { return }
      try await bootOwnImage(equipment, "the run ends")
    } catch {
      run.log.log(.error, source: "deploy", "\(PlainFailure(error))")
    }
  }

  private func bootOwnImage(_ equipment: DeployEquipment, _ reason: String) async throws {
    try await reboot("what was deployed is in memory only, and \(reason)")
    try equipment.journal.note(nil)
  }

  // MARK: What is there

  /// Read once in a run: what arrives is compared with that.
  private func images(of wanted: Deployment) throws(PlainFailure) -> DeployImages {
    if let known = deployImages[wanted] { return known }
    let images = try DeployImages.read(wanted)
    deployImages[wanted] = images
    return images
  }

  private func way(
    of wanted: Deployment, _ equipment: DeployEquipment
  ) throws(PlainFailure) -> Deployment.Way {
    do throws(Deployment.Refusal) {
      return try equipment.ways.way(of: wanted)
    } catch {
      throw PlainFailure(
        .configuration, "\(run.target.name): cannot be deployed to: \(error.message)",
        hint: error.hint)
    }
  }

  private func checkMachine(_ images: DeployImages) throws(PlainFailure) {
    guard let kernel = images.kernel, let machine = targetFingerprint["machine"],
      !kernel.runs(on: machine)
    else { return }
    throw PlainFailure(
      .configuration,
      "\(images.deployment.kernel ?? ""): is a kernel for \(kernel.machine), and "
        + "\(run.target.name) is \(machine)")
  }

  /// Whether the board runs it already: the last that was deployed, in this boot where it matters; or
  /// a kernel alone that is the running one.
  private func holds(
    _ images: DeployImages, _ way: Deployment.Way, _ last: DeploymentRecord?,
    _ running: RunningKernel
  ) async throws -> Bool {
    let isLast =
      last.map { last in
        last.image == images.identity && !last.boardBootID.isEmpty
          && (!last.isVolatile || last.boardBootID == running.bootID)
      } ?? false
    let isOwn =
      images.kernel != nil && Array(images.checksums.keys) == ["kernel"]
      && images.deployment.commandLine == nil
      && last.map { !$0.isInMemory(in: running.bootID) } ?? true
    guard isLast || isOwn, running.difference(from: images) == nil else { return false }
    return try await failedVerification(images) == nil
  }

  /// What the board says to the agenda's own question; nil when it is content, or nothing is asked.
  private func failedVerification(_ images: DeployImages) async throws -> String? {
    guard let line = images.deployment.verify else { return nil }
    let result = try await run.target.connection.execute(
      Command(
        ["sh", "-c", line], standardOutput: .capture(limit: 4096),
        standardError: .capture(limit: 4096), endsDescendants: false),
      until: .after(seconds: 60, interrupt: run.stop))
    guard !result.isSuccess else { return nil }
    let said = (result.standardOutput.text + result.standardError.text).trimmingASCIIWhitespace
    return "'\(line)' \(result.termination)" + (said.isEmpty ? "" : ": \(said.prefix(300))")
  }

  // MARK: Bringing it there

  /// Has the board boot the images, and shows that it runs them.
  private func apply(
    _ images: DeployImages, by way: Deployment.Way, _ equipment: DeployEquipment,
    _ note: (String) -> Void
  ) async throws -> RunningKernel {
    var running: RunningKernel?
    try await wrap(.reboot) { running = try await bring(images, by: way, equipment, note) }.get()
    guard let running else {
      throw PlainFailure(.internal, "\(run.target.name): was not deployed to")
    }
    return running
  }

  private func bring(
    _ images: DeployImages, by way: Deployment.Way, _ equipment: DeployEquipment,
    _ note: (String) -> Void
  ) async throws -> RunningKernel {
    let board = run.target.name
    let begin = MonotonicTime.now
    note(
      "\(board): \(images.deployment.files.map(\.path).joined(separator: ", ")) by \(way.rawValue)")
    var record = DeploymentRecord(
      way: way.rawValue, image: images.identity, buildID: "", boardBootID: "", run: run.id)
    // Before anything changes, so that whoever comes next knows that it may have.
    try equipment.journal.note(record)
    let ladder = ladder()
    try await deliver(images, by: way, equipment, ladder)
    do throws(ConnectionFailure) {
      try await ladder.waitUntilUp(
        until: .after(seconds: request.equipment.bootSeconds, interrupt: run.stop))
    } catch {
      if error.code == .interrupted { throw error }
      throw PlainFailure(
        .target, "\(board): does not come up with what was deployed by \(way.rawValue)",
        evidence: error.message, hint: "look at its console: 'kelvin bench console \(board)'")
    }
    try await boardHasBooted(isDeployed: true)
    let running = try await RunningKernel.read(
      through: run.target.connection, until: .after(seconds: 60, interrupt: run.stop))
    if let difference = running.difference(from: images) {
      throw PlainFailure(
        .target, "\(board): does not run what was deployed by \(way.rawValue): \(difference)",
        hint: "did its boot loader start another? See its console")
    }
    if let problem = try await failedVerification(images) {
      throw PlainFailure(
        .target, "\(board): does not run what was deployed by \(way.rawValue): \(problem)")
    }
    (record.buildID, record.boardBootID) = (running.buildID ?? "", running.bootID)
    try equipment.journal.note(record)
    let seconds = Double((MonotonicTime.now - begin) / 100_000_000) / 10
    note("\(board): runs it after \(seconds) s")
    return running
  }

  /// Brings a board back that was lost: by the ladder; or, where it boots nothing by itself, by giving it
  /// once more what the job needs.
  func bringBack(from first: Rung, _ job: JobContext) async throws -> [RecoveryStep] {
    guard let equipment = request.deploy, !equipment.bootsItself, let wanted = job.spec.deployment
    else {
      let ladder = ladder()
      return try await ladder.bringBack(ladder.rungs(from: first), interrupt: run.stop)
    }
    let begin = MonotonicTime.now
    var step = RecoveryStep(rung: .powerCycle, seconds: 0, problem: nil)
    do {
      _ = try await bring(try images(of: wanted), by: try way(of: wanted, equipment), equipment) {
        job.record(.info, source: "deploy", $0)
      }
    } catch {
      if run.stop.isRaised { throw error }
      step.problem = PlainFailure(error).description
    }
    step.seconds = Double(MonotonicTime.now - begin) / 1e9
    return [step]
  }

  private static func fingerprint(
    _ images: DeployImages, _ way: Deployment.Way, _ running: RunningKernel
  ) -> [String: String] {
    var values = ["deployed by": way.rawValue]
    for (key, sum) in images.checksums { values["deployed \(key)"] = "sha256 \(sum)" }
    values["kernel build id"] = running.buildID
    return values
  }
}

extension RunningKernel {
  fileprivate func difference(from images: DeployImages) -> String? {
    difference(from: images.kernel, buildID: images.deployment.buildID)
  }
}
