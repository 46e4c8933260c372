internal import KelvinConnections
internal import KelvinModel

/// What a trace.dat file says of the kernel that does not change during a run: read once.
struct TraceFormats: Sendable {
  var content: TraceContent
  /// Why something is not in it.
  var notes: [String] = []

  /// - Parameter wantsSymbols: nil: where the link is not slow.
  init(
    _ session: TraceSession, wantsSymbols: Bool?, isBigEndian: Bool, system: String,
    _ connection: any Connection, until deadline: Deadline
  ) async throws {
    let root = session.place.root
    let own = try await connection.entries(
      of: root.appending("events/ftrace"), until: deadline
    ).map { "events/ftrace/\($0)/format" }
    let events = session.plan.events
    let paths =
      ["events/header_page", "events/header_event", "printk_formats"] + own
      + events.map { "events/\($0.directory)/format" }
    let files = try await connection.read(paths.map(root.appending), until: deadline)
    // An instance's pages may have another size than those of the kernel's own buffer.
    let headerPage =
      try await connection.read([session.base.appending("events/header_page")], until: deadline)
      .first.flatMap { try? $0.get() } ?? (try files[0].get())
    guard let layout = RingBufferLayout(headerPage: headerPage, isBigEndian: isBigEndian) else {
      throw PlainFailure(
        .target, "\(root)/events/header_page: is no description of pages",
        evidence: String(decoding: headerPage.prefix(200), as: UTF8.self).oneLine)
    }
    content = TraceContent(
      layout: layout, headerPage: headerPage, headerEvent: (try? files[1].get()) ?? [],
      cpuCount: (session.plan.cpus.max() ?? 0) + 1)
    content.printkFormats = (try? files[2].get()) ?? []
    // Directories only: `enable` and `filter` have no format.
    content.ownFormats = files[3..<(3 + own.count)].compactMap { try? $0.get() }
      .filter { !$0.isEmpty }
    var lacking: [String] = []
    for (event, file) in zip(events, files[(3 + own.count)...]) {
      guard case .success(let format) = file else {
        lacking.append(event.description)
        continue
      }
      if content.eventFormats.last?.system != event.system {
        content.eventFormats.append((event.system, []))
      }
      content.eventFormats[content.eventFormats.count - 1].formats.append(format)
    }
    if !lacking.isEmpty { notes.append("formats that cannot be read: \(lacking.shortList)") }
    content.options = [.system(system)]
    try await readSymbols(wantsSymbols, connection, until: deadline)
  }

  private mutating func readSymbols(
    _ wanted: Bool?, _ connection: any Connection, until deadline: Deadline
  ) async throws {
    guard wanted ?? !connection.capabilities.keepsOutput else {
      if wanted == nil {
        notes.append(
          "addresses will have no names: /proc/kallsyms is not fetched over a console; "
            + "'symbols: true' fetches it")
      }
      return
    }
    let file = try await connection.read(["/proc/kallsyms"], until: deadline)[0]
    switch file {
    case .failure(let error): notes.append("/proc/kallsyms: \(error): addresses have no names")
    case .success(let text):
      // Zeros for those who may not know: the last symbol is never at 0.
      let last = text.dropLast().lastIndex(of: 10).map { text[($0 + 1)...] } ?? text[...]
      if last.prefix(8).allSatisfy({ $0 == UInt8(ascii: "0") }), !last.isEmpty {
        notes.append("/proc/kallsyms hides the addresses (kptr_restrict): they have no names")
      } else {
        content.symbols = text
      }
    }
  }
}

extension TraceFormats {
  /// Whether a machine of this kind, as `uname -m` names it, stores the high byte first.
  static func isBigEndian(_ machine: String) -> Bool {
    ["s390", "s390x", "ppc", "ppc64", "m68k", "parisc", "parisc64", "sparc", "sparc64"]
      .contains(machine) || machine.hasSuffix("_be") || machine.hasSuffix("eb")
      || (machine.hasPrefix("armv") && machine.hasSuffix("b"))
  }
}
