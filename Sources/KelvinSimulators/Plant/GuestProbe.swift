internal import Foundation
internal import Glibc
public import KelvinModel
internal import KelvinSystem

/// Reads what a guest does, from outside: P-states from the control registers through QEMU's
/// monitor, load from the time that QEMU's CPU threads ran.
///
/// A guest of another kind than x86 has no such registers; its own small program writes its
/// frequencies into the shared folder (`share/frequencies`, kHz for each CPU).
public final class GuestProbe {
  private let folder: String
  private let registers: [UInt16]
  private let monitor: Monitor
  private let threads: [Int32]
  private var runTime: [UInt64]
  private var last: Int64

  /// The scratch registers of COM2 and COM3, which are the P-states' control registers; their value
  /// is the frequency in units of 100 MHz (hardware/virtual-bench/acpi/bench.dsl).
  public static let x86Registers: [UInt16] = [0x2FF, 0x3EF]

  /// Connects to a guest's monitor.
  ///
  /// - Parameters:
  ///   - folder: the guest's folder, which holds `plant.sock`.
  ///   - registers: one for each CPU; none: `share/frequencies` is read.
  public init(folder: String, registers: [UInt16]) throws(PlainFailure) {
    self.folder = folder
    self.registers = registers
    monitor = try Monitor(folder: folder)
    let cpus = try monitor.execute("query-cpus-fast") as? [[String: Any]] ?? []
    threads = cpus.compactMap { ($0["thread-id"] as? NSNumber)?.int32Value }
    guard !threads.isEmpty else {
      throw PlainFailure(.infrastructure, "\(folder): QEMU names no CPU threads")
    }
    runTime = threads.map(GuestProbe.runTime)
    last = MonotonicTime.now.nanoseconds
  }

  /// What each CPU did since the last call.
  ///
  /// - Throws: when the guest is gone.
  public func read() throws(PlainFailure) -> [CPUActivity] {
    let frequencies = try megahertz()
    let now = MonotonicTime.now.nanoseconds
    let interval = Double(max(1, now - last))
    last = now
    return threads.indices.map { index in
      let time = GuestProbe.runTime(threads[index])
      let ran = time >= runTime[index] ? Double(time - runTime[index]) : 0
      runTime[index] = time
      return CPUActivity(
        frequencies.indices.contains(index) ? frequencies[index] : 0, load: min(1, ran / interval))
    }
  }

  private func megahertz() throws(PlainFailure) -> [Double] {
    if registers.isEmpty {
      // Also a proof of life.
      guard kill(threads[0], 0) == 0 || errno != ESRCH else {
        throw PlainFailure(.infrastructure, "\(folder): the guest is gone")
      }
      let text = SmallFile.text(folder + "/share/frequencies") ?? ""
      return text.split(separator: " ").map { (Double($0) ?? 0) / 1000 }
    }
    var found: [Double] = []
    for register in registers {
      let line = "i /b 0x" + String(register, radix: 16)
      let answer = try monitor.execute("human-monitor-command", ["command-line": line])
      // "portb[0x02ff] = 0x0e"
      let hex = (answer as? String)?.split(separator: "=").last?
        .trimmingCharacters(in: .whitespacesAndNewlines).dropFirst(2)
      guard let hex, let value = UInt8(hex, radix: 16) else {
        throw PlainFailure(
          .infrastructure, "\(folder): QEMU does not read I/O ports as expected",
          evidence: "\(answer)", hint: "this plant knows QEMU 7.2")
      }
      found.append(Double(value) * 100)
    }
    return found
  }

  /// Nanoseconds that a thread ran: the first field of /proc/TID/schedstat.
  private static func runTime(_ thread: Int32) -> UInt64 {
    let text = SmallFile.text("/proc/\(thread)/schedstat") ?? ""
    return text.split(separator: " ").first.flatMap { UInt64($0) } ?? 0
  }
}

/// One connection to QEMU's machine protocol (docs/interop/qmp-spec.txt of QEMU): a JSON object on
/// each line.
final class Monitor {
  private let descriptor: Int32
  private var buffered: [UInt8] = []
  private let name: String

  init(folder: String) throws(PlainFailure) {
    name = folder + "/plant.sock"
    // The path may be too long for a socket address, so it goes through the folder's descriptor.
    let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else {
      throw PlainFailure(
        .configuration, "\(folder): \(Errno.current)",
        hint: "name the folder of a guest; 'scripts/virtual-bench status --format json' tells")
    }
    defer { close(directory) }
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = "/proc/self/fd/\(directory)/plant.sock"
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard status == 0 else {
      let error = Errno.current
      close(descriptor)
      throw PlainFailure(
        .infrastructure, "\(name): \(error)", hint: "is the guest running, and without a plant?")
    }
    _ = try line()
    _ = try execute("qmp_capabilities")
  }

  deinit { close(descriptor) }

  func execute(_ command: String, _ arguments: [String: String] = [:]) throws(PlainFailure) -> Any {
    var request: [String: Any] = ["execute": command]
    if !arguments.isEmpty { request["arguments"] = arguments }
    guard var bytes = try? JSONSerialization.data(withJSONObject: request) else {
      throw PlainFailure(.internal, "\(command): no JSON")
    }
    bytes.append(10)
    let sent = bytes.withUnsafeBytes {
      send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
    guard sent == bytes.count else {
      throw PlainFailure(.infrastructure, "\(name): \(Errno.current)")
    }
    while true {
      let text = try line()
      guard let object = try? JSONSerialization.jsonObject(with: Data(text)) as? [String: Any]
      else { throw PlainFailure(.infrastructure, "\(name): sent no JSON") }
      if let result = object["return"] { return result }
      if let error = object["error"] {
        throw PlainFailure(.infrastructure, "\(name): \(command) failed", evidence: "\(error)")
      }
    }
  }

  private func line() throws(PlainFailure) -> [UInt8] {
    let deadline = Deadline.after(seconds: 10)
    while true {
      if let end = buffered.firstIndex(of: 10) {
        defer { buffered.removeSubrange(...end) }
        return Array(buffered[..<end])
      }
      guard deadline.wait(for: descriptor) == .ready, buffered.count < 1 << 20 else {
        throw PlainFailure(.timeout, "\(name): no answer in 10 s")
      }
      var chunk = [UInt8](repeating: 0, count: 4096)
      let count = recv(descriptor, &chunk, chunk.count, 0)
      guard count > 0 else { throw PlainFailure(.infrastructure, "\(name): the guest is gone") }
      buffered += chunk[..<count]
    }
  }
}
