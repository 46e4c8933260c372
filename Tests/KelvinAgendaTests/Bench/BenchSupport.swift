import Foundation
import KelvinAgenda
import KelvinModel

extension BenchDeclarations {
  /// A driver or two of each kind.
  static let sample = BenchDeclarations(
    [
      Declaration(.connection, "local", summary: "This machine."),
      Declaration(
        .connection, "ssh", summary: "SSH.",
        options: [
          .init("host", .text, required: true, "Host."),
          .init("port", .integer, default: 22, range: 1...65_535, "Port."),
          .init("user", .text, default: "root", isDetail: true, "User.")
        ]),
      serial(.connection), serial(.console),
      Declaration(
        .console, "socket", summary: "Socket.",
        options: [.init("path", .path, required: true, "Path.")]),
      Declaration(
        .power, "usb-hub", aliases: ["hub"], summary: "Port of a hub.",
        options: [
          DeviceMatch.option(of: "hub"),
          .init("port", .integer, required: true, range: 1...255, "Port."),
          .init(
            "delay", .quantity(.time, bare: "s"), default: 0, isDetail: true, "How long to wait.")
        ]),
      Declaration(
        .power, "meter", summary: "A meter that supplies.",
        options: [.init("meter", .text, required: true, "Which.")]),
      Declaration(
        .power, "http", summary: "A plug.",
        options: [
          .init("url", .text, required: true, "Where."),
          .init("on", .pattern, "What says on.")
        ]),
      Declaration(.power, "qmp", summary: "QEMU.", options: [.init("path", .path, "Socket.")]),
      Declaration(
        .reset, "dtr", summary: "DTR line.",
        options: [.init("path", .path, required: true, "Line.")]),
      Declaration(
        .meter, "ppk2", summary: "PPK2.",
        options: [
          DeviceMatch.option(of: "meter"),
          .init("mode", .choice(["ampere", "source"]), default: "ampere", isDetail: true, "Mode."),
          .init(
            "voltage", .quantity(.voltage, bare: nil), range: 0.8...5, isDetail: true, "Volts.")
        ]),
      Declaration(.meter, "hwmon", summary: "Kernel sensors."),
      Declaration(.workload, "idle", summary: "Not of a bench.")
    ],
    checkPattern: { $0.contains("(") && !$0.contains(")") ? "missing )" : nil })

  private static func serial(_ kind: Declaration.Kind) -> Declaration {
    Declaration(
      kind, "serial", summary: "Serial line.",
      options: [
        .init("path", .path, "Path."), DeviceMatch.option(of: "adapter"),
        .init("baud", .integer, range: 50...4_000_000, isDetail: true, "Baud.")
      ],
      alternatives: [.init(["path", "match"], required: true)])
  }
}

/// What reading bench files gave: the bench, and its diagnostics as text without the folder.
struct BenchText {
  var bench = Bench()
  /// Errors, or warnings when there are none.
  var lines: [String] = []
  var isRead = false
  var sources: [Agenda.Source] = []

  /// Reads files in the order of their names.
  init(
    files: [String: String], paths: [String]? = nil,
    _ change: (inout BenchRequest) -> Void = { _ in }
  ) {
    let folder = Folder(files)
    var request = BenchRequest(
      paths: (paths ?? files.keys.sorted()).map { folder[$0] },
      profileNames: ["generic-linux", "rock-5b", "virtual-x86"])
    change(&request)
    do throws(ConfigurationFailure) {
      let reading = try BenchReader.read(request, declarations: .sample)
      bench = reading.bench
      sources = reading.sources
      lines = reading.warnings.map { folder.relative($0.description) }
      isRead = true
    } catch {
      lines = error.diagnostics.map { folder.relative($0.description) }
    }
  }

  init(_ text: String, _ change: (inout BenchRequest) -> Void = { _ in }) {
    self.init(files: ["bench.yaml": text], change)
  }

  /// One board `a` with these keys besides its profile.
  init(board keys: String) {
    self.init("boards: {a: {profile: rock-5b, \(keys)}}")
  }
}

/// The top of the source tree.
enum SourceTree {
  static let path = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
}
