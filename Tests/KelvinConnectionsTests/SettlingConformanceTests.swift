import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinConnections

/// What every connection promises of settling values.
@Suite struct SettlingConformanceTests {
  /// When a file's content last changed, and its times: a write shows, whatever it writes.
  private static func stamp(_ path: String) -> [Int] {
    var status = stat()
    guard stat(path, &status) == 0 else { return [] }
    return [
      status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec
    ]
  }

  private static func age(_ path: String) {
    let times = [timespec(tv_sec: 1000, tv_nsec: 0), timespec(tv_sec: 1000, tv_nsec: 0)]
    _ = utimensat(AT_FDCWD, path, times, 0)
  }

  @Test(.timeLimit(.minutes(2)), arguments: ConformanceKind.allCases, [true, false])
  func writesWhatDiffersAndNothingElse(kind: ConformanceKind, isStepwise: Bool) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    var steps: [ValueStep] = []
    for (index, item) in Self.cases.enumerated() {
      try scratch.write("\(index)", item.content)
      Self.age("\(scratch.path)/\(index)")
      steps.append(
        ValueStep(
          TargetPath("\(scratch.path)/\(index)"), wanted: item.wanted,
          equivalents: item.equivalents))
      #expect(steps[index].isMet(by: item.content) == item.isHeld, "\(item.name)")
    }
    let stamps = steps.map { Self.stamp($0.path.string) }
    let outcomes =
      isStepwise
      ? try await connection.settleStepwise(steps, until: soon())
      : try await connection.settle(steps, until: soon())
    #expect(outcomes.count == steps.count)
    for (index, item) in Self.cases.enumerated() {
      let outcome = outcomes[index]
      #expect(outcome.before == .success(item.content), "\(item.name)")
      #expect(outcome.writing == (item.isHeld ? .notNeeded : .done), "\(item.name)")
      var content = item.content
      if !item.isHeld {
        content.replaceSubrange(0..<min(item.wanted.count, content.count), with: item.wanted)
      }
      #expect(outcome.after == .success(content), "\(item.name)")
      #expect(try scratch.read("\(index)") == content, "\(item.name)")
      let isUntouched = Self.stamp(steps[index].path.string) == stamps[index]
      // What is empty changes nothing.
      if !item.wanted.isEmpty { #expect(isUntouched == item.isHeld, "\(item.name)") }
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func keepsTheOrderAndJudgesAFileThatComesAgainAnew(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    for name in ["min", "max", "raw"] { try scratch.write(name, Array("1\n".utf8)) }
    let (least, most, raw) = (
      TargetPath(scratch.path + "/min"), TargetPath(scratch.path + "/max"),
      TargetPath(scratch.path + "/raw")
    )
    let steps = [
      ValueStep(least), ValueStep(least, line: "2"), ValueStep(most, line: "5"),
      ValueStep(least, line: "2"), ValueStep(least, line: "3", isAlwaysWritten: true),
      ValueStep(least), ValueStep(least, line: "3"), ValueStep(least, line: "1"),
      ValueStep(raw, wanted: [255]), ValueStep(raw, wanted: [255, 10]),
      ValueStep(raw, wanted: Array("7".utf8)), ValueStep(most, line: "5", isAlwaysWritten: true),
      ValueStep(raw)
    ]
    let outcomes = try await connection.settle(steps, until: soon())
    let texts = ["1", "1", "1", "2", "2", "3", "3", "3", "1", "\u{FFFD}", "\u{FFFD}", "5", "7"]
    let before = outcomes.map { outcome in
      (try? outcome.before.get()).map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(before == texts.map { $0 + "\n" })
    #expect(
      outcomes.map(\.writing) == [
        .notNeeded, .done, .done, .notNeeded, .done, .notNeeded, .notNeeded, .done, .done,
        .notNeeded, .done, .done, .notNeeded
      ])
    for (step, outcome) in zip(steps, outcomes) {
      let last = step.path == least ? "1\n" : step.path == most ? "5\n" : "7\n"
      #expect(outcome.after == .success(Array(last.utf8)))
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func aStepThatFailsSaysWhyAndTheOthersGoOn(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    for name in ["first", "last"] { try scratch.write(name, Array("1\n".utf8)) }
    let here = TargetPath(scratch.path)
    let steps = [
      ValueStep(here.appending("first"), line: "2"), ValueStep(here.appending("none")),
      ValueStep(here.appending("none"), line: "2"), ValueStep(here, line: "2"), ValueStep(here),
      ValueStep(here.appending("first/below"), line: "2"),
      ValueStep("/proc/sys/kernel/ostype", line: "Linux"),
      ValueStep("/proc/sys/kernel/ostype", line: "Other"), ValueStep("/proc/self/mem"),
      ValueStep("/dev/null", line: "x"), ValueStep(here.appending("last"), line: "2")
    ]
    #expect(try await connection.settle([], until: soon()) == [])
    let outcomes = try await connection.settle(steps, until: soon())
    let isRoot = geteuid() == 0
    #expect(
      outcomes.map(\.writing) == [
        .done, .notNeeded, .failed(.notFound), .failed(Errno(EISDIR)), .notNeeded,
        .failed(Errno(ENOTDIR)), .notNeeded, .failed(.permissionDenied), .notNeeded, .done, .done
      ])
    let system: Result<[UInt8], Errno> = .success(Array("Linux\n".utf8))
    #expect(
      outcomes.map(\.before) == [
        .success([49, 10]), .failure(.notFound), .failure(.notFound), .failure(Errno(EISDIR)),
        .failure(Errno(EISDIR)), .failure(Errno(ENOTDIR)), system, system,
        .failure(isRoot ? .io : .permissionDenied), .success([]), .success([49, 10])
      ])
    #expect(outcomes[0].after == .success([50, 10]) && outcomes[10].after == .success([50, 10]))
    #expect(outcomes[7].after == system && outcomes[9].after == .success([]))
    #expect(SmallFile.names(in: scratch.path) == ["first", "last"])
    await connection.close()
  }

  @Test(.timeLimit(.minutes(2)), arguments: ConformanceKind.allCases)
  func settlesTwoHundredStepsInTheirOrder(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    var steps: [ValueStep] = []
    // Files of more than one batch, and one that comes twice.
    for number in 0..<203 {
      try scratch.write("\(number)", Array("old \(number)\n".utf8))
      Self.age("\(scratch.path)/\(number)")
      steps.append(
        ValueStep(
          TargetPath("\(scratch.path)/\(number)"),
          line: number % 3 == 0 ? "old \(number)" : "new \(number)"))
    }
    steps.append(ValueStep(steps[7].path, line: "end 7"))
    let outcomes = try await connection.settle(steps, until: soon())
    var last: [Int] = []
    for (number, outcome) in outcomes.enumerated() {
      let isLast = number == 203
      let old = Array((isLast ? "new 7\n" : "old \(number)\n").utf8)
      #expect(outcome.before == .success(old))
      #expect(outcome.writing == (number % 3 == 0 && !isLast ? .notNeeded : .done))
      #expect(
        outcome.after == .success(number == 7 ? Array("end 7\n".utf8) : steps[number].wanted ?? []))
      guard outcome.writing == .done, number != 7 else { continue }
      let stamp = Array(Self.stamp(steps[number].path.string)[..<2])
      #expect(!stamp.lexicographicallyPrecedes(last))
      last = stamp
    }
    for (step, outcome) in zip(steps, try await connection.settle(steps, until: soon())) {
      #expect(outcome.writing == (step.path == steps[7].path ? .done : .notNeeded))
    }
    await connection.close()
  }

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [ConformanceKind.local, .dash, .busybox, .adbDirect, .consoleDash])
  func whatIsTooLongToBeReadIsWrittenAllTheSame(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    try scratch.write("large", Array("1\n2\n".utf8))
    #expect(truncate(scratch.path + "/large", (kind.isConsole ? 1 << 20 : 16 << 20) + 1) == 0)
    let outcomes = try await connection.settle(
      [ValueStep(TargetPath(scratch.path + "/large"), line: "3")], until: soon())
    let large: Result<[UInt8], Errno> = .failure(Errno(EFBIG))
    #expect(outcomes == [ValueOutcome(before: large, writing: .done, after: large)])
    let file = try #require(fopen(scratch.path + "/large", "r"))
    #expect(fgetc(file) == 51)
    fclose(file)
    // More than patterns are tried on, and than a console's script can say, beside what it can.
    let long = [UInt8](repeating: 56, count: 70_000)
    for name in ["long", "short"] { try scratch.write(name, long + [10]) }
    let beside = try await connection.settle(
      ["long", "short"].map {
        ValueStep(TargetPath(scratch.path + "/" + $0), wanted: $0 == "long" ? long : [57])
      }, until: soon())
    #expect(
      beside.map(\.writing) == [kind.isConsole ? .failed(Errno(E2BIG)) : .notNeeded, .done])
    #expect(beside[0].before == .success(long + [10]) && beside[0].after == beside[0].before)
    #expect(beside[1].after == .success([57] + long.dropFirst() + [10]))
    await #expect {
      _ = try await connection.settle([ValueStep("/proc/x\0y", line: "3")], until: soon())
    } throws: { ($0 as? ConnectionFailure)?.code == .unsupported }
    await connection.close()
  }

  /// More than a console's script can be: several, and what the files hold is read behind the last.
  @Test(.timeLimit(.minutes(1)), arguments: [ConformanceKind.dash, .consoleDash, .consoleMksh])
  func settlesMoreThanOneScriptHolds(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    var steps: [ValueStep] = []
    for number in 0..<31 {
      try scratch.write("\(number)", Array("x".utf8))
      let text = String(repeating: "y", count: 4096)
      steps.append(ValueStep(TargetPath("\(scratch.path)/\(number)"), wanted: Array(text.utf8)))
    }
    steps.append(ValueStep(steps[0].path, wanted: Array("end".utf8)))
    let outcomes = try await connection.settle(steps, until: soon())
    #expect(outcomes.allSatisfy { $0.writing == .done })
    #expect(outcomes[31].before == .success(steps[0].wanted ?? []))
    #expect(
      outcomes[0].after == .success(Array(("end" + String(repeating: "y", count: 4093)).utf8)))
    #expect(outcomes[1].after == .success(steps[1].wanted ?? []))
    await connection.close()
  }

  /// Names that no shell may take apart, and contents that look like what a connection's scripts print.
  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func namesAndContentsAreNothingButBytes(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    let names = [
      "a b", "'", "\"", "$HOME `x` $(y) ${1}", "new\nline", "-n", "\\", "*", "?", "[a]", "~", "#x",
      "!",
      "&& false ;", "é🧊", "e\u{301}", "é", "\t", "$1", "${2}", "%s%n", "k", "x=y", " ", "a\n"
    ]
    let frames = [
      "kw-\n", "rwx\n\n0 \n", "\nkelvin-part-0 0\n", "f\n\n1 0\n", "K=0\0", "\u{1E}kelvin-0 0\n",
      "\n\n", "h"
    ]
    var steps: [ValueStep] = []
    for (index, name) in names.enumerated() {
      let content = Array((frames[index % frames.count] + name + "\n").utf8)
      try scratch.write(name, content)
      let wanted =
        index % 2 == 0 ? content : Array((name + "\n" + frames[index % frames.count]).utf8)
      steps.append(ValueStep(TargetPath(scratch.path + "/" + name), wanted: wanted))
    }
    let outcomes = try await connection.settle(steps, until: soon())
    for (index, name) in names.enumerated() {
      #expect(outcomes[index].writing == (index % 2 == 0 ? .notNeeded : .done), "\(name)")
      #expect(
        outcomes[index].before
          == .success(Array((frames[index % frames.count] + name + "\n").utf8)), "\(name)")
      #expect(outcomes[index].after == .success(try scratch.read(name)), "\(name)")
      #expect(steps[index].isMet(by: try scratch.read(name)), "\(name)")
    }
    await connection.close()
  }

  /// The same steps for a connection and for system calls, each with files of its own.
  @Test(.timeLimit(.minutes(3)), arguments: ConformanceKind.allCases.filter { $0 != .local })
  func doesWhatSystemCallsDo(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let here = LocalConnection()
    let scratch = try [Scratch(), Scratch()]
    var generator = SeededGenerator(seed: 5)
    let texts: [[UInt8]] = [
      [], [10], [32, 10], [49, 10], [49], [50, 10], [49, 10, 50, 10], [49, 10, 10], [255],
      [255, 10],
      [200, 129, 1, 136, 10], Array("a [1] 2\n".utf8), Array("[1] [2]\n".utf8), Array("\\1\n".utf8)
    ]
    func some<Element>(_ choices: [Element]) -> Element {
      choices[Int.random(in: choices.indices, using: &generator)]
    }
    let names = ["a", "b", "c d", "e", "none", "f/below"]
    for round in 0..<(kind.isConsole ? 5 : 25) {
      let contents = names.dropLast(2).map { ($0, some(texts)) }
      for place in scratch { for (name, content) in contents { try place.write(name, content) } }
      let steps = (0..<Int.random(in: 1...14, using: &generator)).map { _ in
        (
          name: some(names), wanted: some([nil] + texts.map(Optional.some)),
          isAlways: some([true, false, false, false]), equivalents: some([[], [], [some(texts)]])
        )
      }
      let outcomes = try await [0, 1].asyncMap { index in
        let those = steps.map { step in
          ValueStep(
            TargetPath(scratch[index].path + "/" + step.name), wanted: step.wanted,
            isAlwaysWritten: step.isAlways, equivalents: step.equivalents)
        }
        return index == 0
          ? try await connection.settle(those, until: soon())
          : try await here.settle(those, until: soon())
      }
      #expect(outcomes[0] == outcomes[1], "round \(round) of seed 5: \(contents) \(steps)")
      for (name, _) in contents {
        #expect(try scratch[0].read(name) == scratch[1].read(name), "round \(round): \(name)")
      }
    }
    await connection.close()
  }
}

extension Array {
  fileprivate func asyncMap<Result>(
    _ body: (Element) async throws -> Result
  ) async throws -> [Result] {
    var results: [Result] = []
    for element in self { results.append(try await body(element)) }
    return results
  }
}
