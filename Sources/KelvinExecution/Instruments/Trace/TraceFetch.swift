internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore

/// Fetches what was recorded in one window, and makes a trace.dat of it.
struct TraceFetch: Sendable {
  let session: TraceSession
  let content: TraceContent

  /// What became of it.
  struct Summary: Sendable {
    var events = 0
    /// What the kernel counted of lost events, or else what the pages tell.
    var lost: UInt64 = 0
    var size = 0
    /// By what each CPU lost, in words.
    var losses: [String] = []
    var damagedPages = 0
    /// What could not be fetched, with the reason.
    var trouble: [String] = []
    /// What the pages tell alone.
    fileprivate var pagesWithLoss = 0
    fileprivate var lostByPages: UInt64 = 0

    func record(in job: JobContext, source: String) {
      if lost > 0 {
        job.record(
          .warning, source: source,
          "trace.dat: \(lost) event(s) were lost: \(losses.shortList); a larger buffer_size, fewer "
            + "events or filters help")
      }
      if damagedPages > 0 {
        job.record(
          .warning, source: source,
          "trace.dat: \(damagedPages) page(s) of the kernel's buffer are damaged or cut short")
      }
      for text in trouble { job.record(.warning, source: source, "trace.dat: \(text)") }
      if !trouble.isEmpty { job.markPartial("\(source): trace.dat is not whole") }
    }
  }

  /// Writes the file.
  ///
  /// What of the pages cannot be fetched is told, and what was fetched is kept.
  func write(
    _ path: String, _ connection: any Connection, until deadline: Deadline
  ) async throws -> Summary {
    var content = content
    var summary = Summary()
    let cpus = session.plan.cpus
    let paths = cpus.map { session.base.appending("per_cpu/cpu\($0)/stats") }
    let files = try await connection.read(
      [session.place.root.appending("saved_cmdlines"), session.base.appending("trace_clock")]
        + paths, until: deadline
    ).map { (try? $0.get()) ?? [] }
    content.commandLines = TraceContent.commandLines(files[0])
    content.clock = files[1]
    let option = content.options.count
    for (cpu, text) in zip(cpus, files[2...]) {
      content.options.append(.statistics(cpu: cpu, text))
      let statistics = TraceStatistics(text)
      summary.lost &+= statistics.lost
      if statistics.lost > 0 { summary.losses.append("\(statistics.lost) on CPU \(cpu)") }
    }
    // The kernel's own buffer has nothing but markers.
    if session.hasMarkersApart { content.secondBuffer = "markers" }
    let writer = try TraceFileWriter(path, content)
    var isWhole = await drain(
      session.base, session.plan.bufferKiB, into: writer, &summary, connection, until: deadline)
    if isWhole, let files = try? await connection.read(paths, until: deadline) {
      // As trace-cmd has them: of what has been read nothing is left.
      for (index, file) in files.enumerated() {
        guard case .success(let text) = file else { continue }
        try writer.replaceOption(option + index, with: .statistics(cpu: cpus[index], text))
      }
    }
    if session.hasMarkersApart {
      try writer.beginSecondBuffer()
      if isWhole {
        isWhole = await drain(
          session.place.root, max(session.plan.bufferKiB, TraceFetch.markerKiB), into: writer,
          &summary, connection, until: deadline)
      }
    }
    try writer.finish()
    summary.size = writer.size
    if summary.lost == 0, summary.pagesWithLoss > 0 {
      summary.lost = max(summary.lostByPages, UInt64(summary.pagesWithLoss))
      summary.losses = ["at least, as \(summary.pagesWithLoss) page(s) tell"]
    }
    return summary
  }

  /// More than the markers of one window; how large the kernel's own buffer is, is not Kelvin's matter.
  private static let markerKiB = 65_536

  /// - Returns: false when the rest need not be tried.
  private func drain(
    _ base: TargetPath, _ bufferKiB: Int, into writer: TraceFileWriter, _ summary: inout Summary,
    _ connection: any Connection, until deadline: Deadline
  ) async -> Bool {
    let reader = RingBufferReader(base: base, layout: content.layout, bufferKiB: bufferKiB)
    for cpu in session.plan.cpus {
      do {
        let cut = try await reader.drain(cpu: cpu, connection, until: deadline) { pages in
          summary.take(pages, content.layout)
          try writer.append(pages, cpu: cpu)
        }
        if cut > 0 { summary.damagedPages += 1 }
      } catch {
        summary.trouble.append(
          "the rest of CPU \(cpu)'s events is missing: \(PlainFailure(error))")
        if error is ConnectionFailure { return false }
      }
    }
    return true
  }
}

extension TraceFetch.Summary {
  fileprivate mutating func take(_ pages: ArraySlice<UInt8>, _ layout: RingBufferLayout) {
    var rest = pages
    while !rest.isEmpty {
      let page = RingBufferPage(rest.prefix(layout.pageSize), layout)
      rest = rest.dropFirst(layout.pageSize)
      events += page.events
      if page.isDamaged { damagedPages += 1 }
      switch page.loss {
      case .none: break
      case .unknown: pagesWithLoss += 1
      case .events(let count):
        pagesWithLoss += 1
        lostByPages &+= count
      }
    }
  }
}
