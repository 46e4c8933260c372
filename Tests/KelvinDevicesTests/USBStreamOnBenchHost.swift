import Foundation
import KelvinDevices
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@Suite(
  .serialized, .enabled(if: USBBench.isThere, "needs the bench host"), .timeLimit(.minutes(2)))
struct USBStreamOnBenchHost {
  /// What a stream's handler saw, in order.
  final class Seen: Sendable {
    struct State {
      var numbers: [UInt32] = []
      var sizes: [Int] = []
      var batches = 0
      var times: [MonotonicTime] = []
    }
    let state = Mutex(State())
    let ended = Interrupt()

    func take(_ batch: borrowing USBBatch) {
      var numbers: [UInt32] = []
      var sizes: [Int] = []
      var times: [MonotonicTime] = []
      batch.forEach { span, time in
        if span.byteCount >= 4 {
          numbers.append(span.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt32.self))
        }
        sizes.append(span.byteCount)
        times.append(time)
      }
      state.withLock {
        $0.numbers += numbers
        $0.sizes += sizes
        $0.times += times
        $0.batches += 1
      }
    }

    var count: Int { state.withLock { $0.sizes.count } }
  }

  private func instrument() throws -> (USBGadget, USBInterface) {
    let gadget = try USBGadget("vendor")
    let interface = try USBContext().open(gadget.info).claim(interface: 0)
    return (gadget, interface)
  }

  @Test(arguments: [100, 512, 513, 4000])
  func handsEachTransferOverOnceAndInOrder(bytes: Int) async throws {
    let (gadget, interface) = try instrument()
    let seen = Seen()
    var options = USBStream.Options()
    // A block ends with a short packet, or fills the transfer: each transfer is one block.
    options.bytesPerTransfer = bytes % 512 == 0 ? bytes : 4096
    // Room for all of it, however late a slow guest runs the stream's thread.
    options.queued = 500
    let stream = try USBStream(interface, 0x82, options: options) { seen.take($0) }
    try await interface.device.controlWrite(
      Instrument.startStream(bytes: UInt16(bytes), blocks: 500), until: USBBench.deadline)
    _ = USBBench.wait { seen.count == 500 ? true : nil }
    let summary = stream.stop()
    #expect(summary.transfers == 500)
    #expect(summary.bytes == 500 * bytes)
    #expect(summary.lostTransfers == 0)
    #expect(summary.failure == nil)
    let state = seen.state.withLock { $0 }
    #expect(state.numbers == Array(0..<500))
    #expect(state.sizes.allSatisfy { $0 == bytes })
    #expect(state.batches < 500)
    #expect(zip(state.times, state.times.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(stream.stop().transfers == 500)
    withExtendedLifetime(gadget) {}
  }

  @Test func countsWhatASlowConsumerLoses() async throws {
    let (gadget, interface) = try instrument()
    let seen = Seen()
    let isHeld = Interrupt()
    var options = USBStream.Options()
    options.transfers = 4
    options.queued = 8
    options.bytesPerTransfer = 512
    options.batchSeconds = 0
    let stream = try USBStream(interface, 0x82, options: options) { batch in
      seen.take(batch)
      _ = Deadline.after(seconds: 10, interrupt: isHeld).wait()
    }
    try await interface.device.controlWrite(
      Instrument.startStream(bytes: 512, blocks: 300), until: USBBench.deadline)
    // Eight buffers are with the consumer, and the others under way: the rest is lost.
    let lost = USBBench.wait { stream.lostTransfers == 292 ? 292 : nil }
    #expect(lost == 292)
    isHeld.raise()
    let summary = stream.stop()
    #expect(summary.lostTransfers == 292)
    #expect(summary.lostBytes == summary.lostTransfers * 512)
    #expect(summary.transfers + summary.lostTransfers == 300)
    #expect(summary.failure == nil)
    // In order, with gaps.
    let numbers = seen.state.withLock { $0.numbers }
    #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
    withExtendedLifetime(gadget) {}
  }

  @Test func endsWithWhatHadComeWhenUnplugged() async throws {
    let (gadget, interface) = try instrument()
    let seen = Seen()
    let end = Mutex<USBStream.Summary?>(nil)
    let stream = try USBStream(
      interface, 0x82,
      onEnd: { summary in
        end.withLock { $0 = summary }
        seen.ended.raise()
      },
      { seen.take($0) })
    try await interface.device.controlWrite(
      Instrument.startStream(bytes: 500, blocks: 0), until: USBBench.deadline)
    let isRunning = USBBench.wait { seen.count > 20 ? true : nil }
    try #require(isRunning == true)
    let start = MonotonicTime.now
    gadget.unplug()
    #expect(Deadline.after(seconds: 5, interrupt: seen.ended).wait() == .interrupted)
    print("unplugged in mid-stream: told after \((MonotonicTime.now - start) / 1_000_000) ms")
    #expect(MonotonicTime.now - start < 1_000_000_000)
    let summary = try #require(end.withLock { $0 })
    #expect(summary.failure?.code == .disconnected)
    let numbers = seen.state.withLock { $0.numbers }
    #expect(numbers == Array(0..<UInt32(numbers.count)))
    #expect(stream.stop().failure?.code == .disconnected)
  }

  @Test func endsWithAStallAndStartsAnew() async throws {
    let (gadget, interface) = try instrument()
    let seen = Seen()
    let stream = try USBStream(interface, 0x82, onEnd: { _ in seen.ended.raise() }) {
      seen.take($0)
    }
    try await interface.device.controlWrite(Instrument.halt(0x82), until: USBBench.deadline)
    #expect(Deadline.after(seconds: 5, interrupt: seen.ended).wait() == .interrupted)
    #expect(stream.stop().failure?.code == .stall)
    try interface.clearHalt(0x82)
    let again = try USBStream(interface, 0x82) { seen.take($0) }
    try await interface.device.controlWrite(
      Instrument.startStream(bytes: 64, blocks: 10), until: USBBench.deadline)
    _ = USBBench.wait { seen.count == 10 ? true : nil }
    #expect(again.stop().transfers == 10)
    withExtendedLifetime(gadget) {}
  }

  @Test func endsWhenTheDeviceIsClosedOrTheStreamDropped() async throws {
    let (gadget, interface) = try instrument()
    let seen = Seen()
    _ = try USBStream(interface, 0x82, onEnd: { _ in seen.ended.raise() }) { seen.take($0) }
    #expect(Deadline.after(seconds: 5, interrupt: seen.ended).wait() == .interrupted)
    let stream = try USBStream(interface, 0x82) { seen.take($0) }
    interface.device.close()
    #expect(stream.stop().failure == nil)
    #expect(throws: USBFailure.self) { _ = try USBStream(interface, 0x82) { seen.take($0) } }
    withExtendedLifetime(gadget) {}
  }

  @Test func countsThroughput() throws {
    try USBBench.shell("gadget_source kelvin-source dummy_udc.0 S1")
    defer { try? USBBench.shell("gadget_remove kelvin-source") }
    let info = try #require(USBBench.wait { USBBench.device(at: 0) })
    let interface = try USBContext().open(info).claim(interface: 0)
    let endpoint = try interface.endpoint(.bulk, isIn: true)
    let bytes = Atomic<Int>(0)
    let start = MonotonicTime.now
    let stream = try USBStream(interface, endpoint.address) { batch in
      var sum = 0
      batch.forEach { span, _ in sum += span.byteCount }
      bytes.wrappingAdd(sum, ordering: .relaxed)
    }
    _ = USBBench.wait { bytes.load(ordering: .relaxed) > 20_000_000 ? true : nil }
    let seconds = Double(MonotonicTime.now - start) / 1e9
    let summary = stream.stop()
    let rate = Double(summary.bytes) / seconds / 1e6
    print("bulk stream: \(Int(rate)) MB/s, \(summary.lostTransfers) transfers lost")
    // Two orders above the fastest meter, on a guest that emulates its processor.
    #expect(rate > 1)
    #expect(summary.failure == nil)
  }

  @Test func tellsThatAKernelGadgetWasUnplugged() throws {
    try USBBench.shell("gadget_loopback kelvin-loop dummy_udc.0 L1")
    defer { try? USBBench.shell("gadget_remove kelvin-loop") }
    let info = try #require(USBBench.wait { USBBench.device(at: 0) })
    let interface = try USBContext().open(info).claim(interface: 0)
    let address = try interface.endpoint(.bulk, isIn: true).address
    let seen = Seen()
    let stream = try USBStream(interface, address, onEnd: { _ in seen.ended.raise() }) {
      seen.take($0)
    }
    try USBBench.shell("gadget_unplug kelvin-loop")
    #expect(Deadline.after(seconds: 5, interrupt: seen.ended).wait() == .interrupted)
    #expect(stream.stop().failure?.code == .disconnected)
  }
}
