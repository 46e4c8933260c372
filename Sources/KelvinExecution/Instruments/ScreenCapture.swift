internal import Glibc
internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// Pictures of an Android screen while a job runs.
public struct ScreenCapture: Instrument {
  public static let declaration = Declaration(
    .instrument, "screen_capture", aliases: ["screen"],
    summary: "Pictures of an Android screen while the job runs.",
    description: """
      The target's screencap -p is run once a period while the workload runs, and once after it; \
      each picture becomes an artifact, screen-0001.png and so on, in their order. A picture costs \
      the target tenths of a second of CPU time and the link its megabytes: do not compare such a \
      job's energy or speed with others. A picture that was being taken when the window ended is \
      left out.
      """,
    options: [
      OptionDeclaration(
        "period", .quantity(.time, bare: "s"), default: 10, range: 1...3600,
        "From the end of a picture to the begin of the next."),
      OptionDeclaration(
        "max_size", .quantity(.size, bare: "B"), default: 268_435_456, range: 1...1e12,
        "What the pictures taken within one job may hold; later ones are left out.")
    ],
    metrics: [MetricDeclaration("screen_captures", "Pictures.")],
    verified: "a program of the name screencap only; never run on Android",
    linkUse: .needs)

  private let period: Int
  private let maxSize: Int
  private struct Session: Sendable {
    var attempt: Int64
    var follower: LogFollower
    var isTruncated = false
    var last: [UInt8] = []
  }
  private let session = BoardConfined<Session?>(nil)

  private static let fileName = "screen.pngs"

  /// Takes the declared options.
  public init(settings: [String: Value]) {
    period = Int((settings["period"]?.number ?? 10).rounded())
    maxSize = Int(settings["max_size"]?.number ?? 268_435_456)
  }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let found = try await run.target.connection.findExecutables(["screencap"], until: deadline)
    guard found[0] != nil else {
      throw InstrumentUnavailable(
        "screencap: not found on the target", hint: "it comes with Android")
    }
  }

  public var hooks: [Hook] {
    slow.start { context in
      let job = try context.requireJob()
      let command = Command(
        ["sh", "-c", "while sleep \(period); do screencap -p; done"],
        standardOutput: .file(
          try job.directory() + "/" + ScreenCapture.fileName, limit: maxSize),
        standardError: .capture(limit: 4096))
      session.value = Session(
        attempt: job.attemptID,
        follower: try await LogFollower(
          command, context.target.connection, until: context.deadline))
    }
    // Also without a target: its thread must not outlive the window.
    slow.stop { context in
      guard let follower = session.value?.follower else { return }
      let ending = await follower.stop()
      session.value?.isTruncated = ending.result?.standardOutput.isTruncated ?? false
      if case .failed(let failure) = ending { throw failure }
      session.value?.last = try await Target.picture(
        through: context.target.connection, until: context.deadline)
    }.hostSide
    normal.update_output { context in
      let job = try context.requireJob()
      guard let session = session.exchange(nil), session.attempt == job.attemptID else { return }
      try report(session, job)
    }.hostSide
  }

  private func report(_ session: Session, _ job: JobContext) throws {
    let path = try job.directory() + "/" + ScreenCapture.fileName
    // A short job ends before the first period does.
    let taken = (try? HostFile.read(path, limit: maxSize)) ?? []
    unlink(path)
    var count = 0
    for bytes in [taken, session.last] {
      for image in PNGStream(bytes).images {
        count += 1
        let number = String(count)
        let padding = String(repeating: "0", count: max(0, 4 - number.count))
        try job.write(
          Array(bytes[image]), to: "screen-\(padding)\(number).png", kind: .data,
          description: "picture of the screen", source: name)
      }
    }
    if session.isTruncated {
      job.record(
        .warning, source: name,
        "pictures beyond max_size, or beyond what the connection keeps, were left out")
    }
    if !session.last.isEmpty, PNGStream(session.last).images.isEmpty {
      job.record(.warning, source: name, "what screencap wrote after the job is no picture")
    }
    job.add(Metric("screen_captures", .integer(Int64(count)), source: name))
  }
}
