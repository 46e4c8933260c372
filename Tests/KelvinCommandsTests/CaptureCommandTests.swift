import KelvinModel
import KelvinStore
import Testing

/// `kelvin import` and `kelvin export` by the real binary.
@Suite struct CaptureCommandTests {
  private static let table = """
    time [s],vdd [V],idd [mA]
    0.0,3.3,10
    0.1,3.31,11
    0.2,3.29,nan
    0.3,3.3,12

    """

  @Test(.timeLimit(.minutes(2)))
  func aTableBecomesARunAndComesOutInEachFormat() async throws {
    let scratch = try Scratch()
    try scratch.write("bench.csv", Self.table)
    let imported = try await KelvinBinary.run(["import", "bench.csv"], in: scratch.path)
    #expect(imported.code == 0, "\(imported.errors)")
    #expect(imported.output == "runs/bench\n")
    #expect(imported.errors.contains("idd: 3 samples in A"))
    let reader = try RunReader(directory: scratch.path + "/runs/bench")
    let capture = try #require(try reader.captures(ofAttempt: nil).first)
    #expect(capture.channels.map(\.name) == ["vdd", "idd"])
    #expect(try reader.run().outcome == .ok)
    for format in ["csv", "perfetto", "jls", "sr"] {
      let exported = try await KelvinBinary.run(
        ["export", "runs/bench", "--format", format], in: scratch.path)
      #expect(exported.code == 0, "\(format): \(exported.errors)")
      #expect(exported.output.hasPrefix("runs/bench/capture-\(capture.id)."))
    }
    // And back: the exported file says the same as the first one.
    let again = try await KelvinBinary.run(
      ["import", "runs/bench/capture-\(capture.id).csv", "-d", "again"], in: scratch.path)
    #expect(again.code == 0, "\(again.errors)")
    let second = try RunReader(directory: scratch.path + "/again")
    let copy = try #require(try second.captures(ofAttempt: nil).first)
    for (index, channel) in capture.channels.enumerated() {
      let old = try reader.blocks(ofCapture: capture.id, channel: index).flatMap(\.codes)
      let new = try second.blocks(ofCapture: copy.id, channel: index).flatMap(\.codes)
      #expect(
        old.map { Double($0) * channel.scale }
          == new.map { Double($0) * copy.channels[index].scale })
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func takesTheSpellingOfTheDesign() async throws {
    let scratch = try Scratch()
    try scratch.write("bench.csv", Self.table)
    _ = try await KelvinBinary.run(["import", "bench.csv", "-d", "r"], in: scratch.path)
    let exported = try await KelvinBinary.run(
      ["export", "--perfetto", "r", "-o", "trace.pb"], in: scratch.path)
    #expect(exported.code == 0, "\(exported.errors)")
    #expect(exported.output == "trace.pb\n")
    let listed = try await KelvinBinary.run(["export", "r", "--dry-run"], in: scratch.path)
    #expect(listed.output == "capture 1 of bench (vdd, idd) to r/capture-1.csv\n")
  }

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      (["import", "x.pdf"], "no format has this ending"),
      (["import", "missing.csv"], "No such file"), (["import", "broken.jls"], "not a JLS file"),
      (["import", "x.perfetto-trace"], "does not read it"),
      (["export", "r", "-o", "x.pdf"], "no format has this ending"),
      (["export", "r", "--capture", "9"], "no capture 9"),
      (["export", "r", "--job", "1"], "no captures of job 1"),
      (["export", "r", "--format", "ppk2", "--perfetto"], "contradict"),
      (["export", "nowhere"], "no run there")
    ])
  func mistakesAreNamed(arguments: [String], message: String) async throws {
    let scratch = try Scratch()
    for name in ["x.pdf", "broken.jls", "x.perfetto-trace"] { try scratch.write(name, "x") }
    try scratch.write("bench.csv", Self.table)
    _ = try await KelvinBinary.run(["import", "bench.csv", "-d", "r"], in: scratch.path)
    let ran = try await KelvinBinary.run(arguments, in: scratch.path)
    #expect(ran.code != 0)
    #expect(ran.errors.contains(message), "\(ran.errors)")
  }

  @Test(.timeLimit(.minutes(1)))
  func keepsWhatADamagedFileHolds() async throws {
    let scratch = try Scratch()
    try scratch.write("bench.csv", Self.table + "what,is,this\n")
    let ran = try await KelvinBinary.run(["import", "bench.csv", "-d", "r"], in: scratch.path)
    #expect(ran.code == 1)
    #expect(ran.errors.contains("line 6"), "\(ran.errors)")
    let reader = try RunReader(directory: scratch.path + "/r")
    #expect(try reader.run().outcome?.verdict == .partial)
    let capture = try #require(try reader.captures(ofAttempt: nil).first)
    let codes = try reader.blocks(ofCapture: capture.id, channel: 0).flatMap(\.codes)
    #expect(codes.count == 4)
  }
}
