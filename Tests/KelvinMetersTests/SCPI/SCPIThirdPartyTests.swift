import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// Clients that others wrote read the simulator, and agree with the driver about what it answered.
@Suite(.timeLimit(.minutes(2)))
struct SCPIThirdPartyTests {
  static let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
  static let hasVISA = FileManager.default.fileExists(
    atPath: "\(root)/.build/capture-tools/pyvisa_py")
  static let hasSigrok = FileManager.default.fileExists(atPath: "/usr/bin/sigrok-cli")

  static func run(_ argv: [String]) async throws -> CommandResult {
    try await LocalConnection().execute(Command(argv), until: .after(seconds: 60))
  }

  /// Runs Python with the clients of scripts/capture-tools; `psu` is an open resource of pyvisa-py.
  static func visa(_ server: SimulatedSCPI, _ script: String) async throws -> [String] {
    let done = try await run([
      "env", "PYTHONPATH=\(root)/.build/capture-tools", "python3", "-c",
      """
      import pyvisa, struct
      psu = pyvisa.ResourceManager('@py').open_resource(
          'TCPIP::127.0.0.1::\(server.port)::SOCKET', read_termination='\\n', write_termination='\\n')
      psu.timeout = 5000
      \(script)
      """
    ])
    #expect(done.termination == .exited(0), "\(done.standardError.text)")
    return done.standardOutput.text.split(separator: "\n").map(String.init)
  }

  /// Each number that pyvisa makes of an answer is the driver's, bit by bit; and it knows the instrument as the
  /// same.
  @Test(
    .enabled(if: hasVISA, "needs pyvisa and pyvisa-py, scripts/capture-tools"),
    arguments: [
      (SCPIModel.n6705, "MEAS:CURR? (@1)"), (.dp832, ":MEAS:ALL? CH1"), (.sdm3055, "READ?"),
      (.ngm202, "MEAS:CURR?"), (.spd3303, "MEAS:POWE? CH1")
    ])
  func pyvisaAgreesBitByBit(model: SCPIModel, query: String) async throws {
    let server = try SCPIMeterTests.server(model)
    let lines = try await Self.visa(
      server,
      """
      print(psu.query('*IDN?'))
      for _ in range(20):
          print(' '.join(float(number).hex() for number in psu.query_ascii_values('\(query)')))
      """)
    #expect(lines.first == model.identity)
    let theirs = lines.dropFirst().flatMap { $0.split(separator: " ") }.map { Double($0) }
    let ours = server.instrument.now.answers.map { answer -> Double? in
      if case .value(let value, _)? = SCPINumber(answer.text.utf8) { value } else { nil }
    }
    #expect(ours.count >= 20 && theirs == ours, "\(theirs) \(ours)")
  }

  /// Blocks of floats, in both orders of bytes: the bytes that pyvisa read go through the driver's own reader.
  @Test(
    .enabled(if: hasVISA, "needs pyvisa and pyvisa-py, scripts/capture-tools"),
    arguments: [SCPIModel.n6705, .ngm202])
  func pyvisaAgreesOnBlocks(model: SCPIModel) async throws {
    var faults = SCPIFaults()
    faults.window = 10
    let server = try SCPIMeterTests.server(model, faults)
    let isBig = model == .n6705
    let begin =
      isBig
      ? "psu.write('SENS:ELOG:PER 0.001,(@1)'); psu.write('TRIG:ELOG (@1)')"
      : "psu.write('FLOG:SRAT S001k'); psu.write('FLOG:STAT 1')"
    let fetch = isBig ? "FETC:ELOG? 100,(@1)" : "FLOG:DATA?"
    let lines = try await Self.visa(
      server,
      """
      import time
      from pyvisa import util
      \(begin)
      time.sleep(0.4)
      psu.write('\(fetch)')
      # What read_bytes does for query_binary_values, with the header kept.
      raw = psu.read_bytes(2)
      raw += psu.read_bytes(int(raw[1:2]))
      raw += psu.read_bytes(int(raw[2:]) + 1)
      print(raw.hex())
      values = util.from_ieee_block(raw[:-1], 'f', \(isBig ? "True" : "False"))
      print(' '.join(float(value).hex() for value in values))
      """)
    try #require(lines.count == 2)
    let raw = stride(from: 0, to: lines[0].count, by: 2).compactMap { place -> UInt8? in
      let start = lines[0].index(lines[0].startIndex, offsetBy: place)
      return UInt8(lines[0][start..<lines[0].index(start, offsetBy: 2)], radix: 16)
    }
    guard case .block(let start, let count) = SCPIBlock.header(raw, limit: 1 << 20) else {
      Issue.record("no block: \(lines[0].prefix(40))")
      return
    }
    #expect(raw.count == start + count + 1)
    let ours = SCPIBlock.floats(Array(raw[start..<start + count]), bigEndian: isBig)
    let theirs = lines[1].split(separator: " ").compactMap { Double($0) }
    #expect(theirs.count >= 200 && ours?.map { Double($0) } == theirs)
  }

  /// sigrok's driver for supplies reads what the simulator answered, to the digits that it prints.
  @Test(
    .enabled(if: hasSigrok, "needs Debian's sigrok-cli"),
    arguments: [SCPIModel.dp832, .hmc8043])
  func sigrokReadsSupplies(model: SCPIModel) async throws {
    let server = try SCPIMeterTests.server(model)
    let connection = "scpi-pps:conn=tcp-raw/127.0.0.1/\(server.port)"
    let found = try await Self.run(["sigrok-cli", "-d", connection, "--scan"])
    let name = model == .dp832 ? "DP832" : "HMC8043"
    #expect(found.standardOutput.text.contains(name), "\(found.standardError.text)")
    let done = try await Self.run(["sigrok-cli", "-d", connection, "--samples", "4"])
    // `I1: 64.6 mA DC`
    let values = done.standardOutput.text.split(separator: "\n").compactMap { line -> Double? in
      let words = line.split(separator: " ")
      guard words.count > 2, let number = Double(words[1]) else { return nil }
      return number * (["m": 1e-3, "u": 1e-6][words[2].first ?? "-"] ?? 1)
    }
    #expect(values.count >= 8, "\(done.standardOutput.text) \(done.standardError.text)")
    let said = server.instrument.now.answers.compactMap { Double($0.text) }
    #expect(said.count >= values.count)
    for (ours, theirs) in zip(said, values) {
      #expect(abs(ours - theirs) <= 0.000_51, "\(ours) \(theirs)")
    }
    #expect(server.instrument.now.unknown.isEmpty, "\(server.instrument.now.unknown)")
  }
}
