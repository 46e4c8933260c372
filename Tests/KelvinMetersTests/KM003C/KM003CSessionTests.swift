import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinMeters

/// Questions and answers, and what a capture makes of them.
@Suite(.timeLimit(.minutes(1)))
struct KM003CSessionTests {
  private func session(_ wire: KM003CWire) -> KM003CSession { KM003CSession(name: "m", wire) }

  private func samples(_ numbers: Range<Int>) -> [[UInt8]] {
    numbers.map { KM003CFrames.sample($0 & 0xffff, volts: 5_000_000 + $0, amperes: $0) }
  }

  private static func failure(_ body: () throws -> Void) -> MeterFailure? {
    do {
      try body()
      return nil
    } catch { return error as? MeterFailure }
  }

  /// However long a reply is, whether or not an empty packet ends one of full packets, and however many follow.
  @Test(arguments: 0...48)
  func repliesOfEachLengthAreReadWhole(count: Int) throws {
    for ends in [[], [[UInt8]()]] {
      let frame = samples(0..<count)
      let wire = KM003CWire { request in
        let reply = KM003CFrames.reply(
          number: request[1], count == 0 ? [] : KM003CFrames.samples(frame))
        return [reply] + (reply.count % 64 == 0 ? ends : [])
      }
      let session = session(wire)
      for _ in 0..<3 {
        let reply = try session.data(.queue, until: soon)
        #expect(reply.count == (count == 0 ? 4 : 8 + 20 * count))
        let ranges = try KM003CReply(reply.span).parts.map(\.range.count)
        #expect(ranges == (count == 0 ? [] : [20 * count]))
      }
      #expect(session.strays == 0)
    }
  }

  @Test func repliesToOthersAreLeftOut() throws {
    let wire = KM003CWire { request in
      let late = KM003CFrames.reply(number: request[1] &- 3, KM003CFrames.samples([]))
      return [late, [0x05, request[1] &- 1, 0, 0], KM003CFrames.reply(number: request[1], [])]
    }
    let session = session(wire)
    #expect(try session.data(.queue, until: soon).count == 4)
    #expect(session.strays == 2)
    // What waits from before is thrown away.
    wire.put([[1, 2, 3], [UInt8](repeating: 4, count: 200)])
    try session.drain(until: soon)
    #expect(try session.data(.queue, until: soon).count == 4 && session.strays == 4)
  }

  @Test func numbersOfRequestsGoRound() throws {
    let wire = KM003CWire { [[0x05, $0[1], 0, 0]] }
    let session = session(wire)
    for _ in 0..<300 { try session.stopGraph(until: soon) }
    #expect(wire.requests.map { $0[1] } == (1...300).map { UInt8($0 & 255) })
  }

  @Test func memoryIsReadInPiecesAndRefused() throws {
    let session = session(KM003CWire(KM003CWire.common))
    let bytes = try #require(try session.memory(.hardware, until: soon))
    #expect(bytes.count == 12)
    for refusal in [UInt8(0x06), 0x27] {
      let other = self.session(KM003CWire { [[refusal, $0[1], 0, 0]] })
      #expect(try other.memory(.device, until: soon) == nil)
    }
    // Fewer bytes than were asked for.
    let short = self.session(
      KM003CWire { KM003CWire.common($0).dropLast() + [[UInt8](repeating: 7, count: 15)] })
    let failure = Self.failure { _ = try short.memory(.hardware, until: soon) }
    #expect(failure?.code == .timedOut)
  }

  @Test func whatIsRefusedOrForeignIsTold() {
    let refusing = session(KM003CWire { [[0x06, $0[1], 0, 0]] })
    for failure in [
      Self.failure { try refusing.connect(until: soon) },
      Self.failure { try refusing.startGraph(.thousand, until: soon) },
      Self.failure { _ = try refusing.data(.values, until: soon) },
      Self.failure { try refusing.authenticate(hardware: KM003CFrames.hardware, until: soon) }
    ] {
      #expect(failure?.code == .malfunction && failure?.message.hasPrefix("m: it refuses") == true)
    }
    // It lets nobody at its queue: the level is 0.
    let strange = session(
      KM003CWire { _ in [[0x4c, 0, 1, 2] + [UInt8](repeating: 0, count: 32)] })
    let level = Self.failure {
      try strange.authenticate(hardware: KM003CFrames.hardware, until: soon)
    }
    #expect(level?.code == .malfunction && level?.message.contains("queue") == true)
    // Another device's answers.
    let foreign = session(
      KM003CWire { _ in (0..<64).map { _ in Array("nothing of the kind\n".utf8) } })
    let other = Self.failure { try foreign.connect(until: soon) }
    #expect(other?.code == .malfunction && other?.message.contains("no replies") == true)
    let silent = session(KM003CWire { _ in [] })
    #expect(Self.failure { try silent.connect(until: soon) }?.code == .timedOut)
  }

  // MARK: captures

  /// Runs a capture until it has so many samples or ends by itself.
  private func capture(
    _ options: [String: Value] = [:], samples: Int = 400,
    _ answer: @escaping @Sendable ([UInt8]) -> [[UInt8]]
  ) throws -> (summary: CaptureSummary, sink: CollectingSink, began: Bool) {
    let options = try KM003COptions(options, of: "m")
    let session = session(KM003CWire(answer))
    let (sink, isAsked, hasBegun) = (CollectingSink(), Interrupt(), Interrupt())
    let deadline = Deadline.after(seconds: 10)
    let (isOver, enough) = (Interrupt(), samples)
    let thread = try NamedThread("watch") {
      while sink.codes(0).count < enough, !isOver.isRaised, !deadline.hasPassed {
        _ = Deadline.after(seconds: 0.005).ended(by: [isOver]).wait()
      }
      isAsked.raise()
    }
    let summary: CaptureSummary
    if options.reading == .queue {
      var worker = KM003CQueueWorker(session, options, into: sink)
      summary = worker.run(until: isAsked, hasBegun: hasBegun)
    } else {
      var poller = KM003CPoller(session, options, into: sink)
      summary = poller.run(until: isAsked, hasBegun: hasBegun)
    }
    isOver.raise()
    thread.join()
    return (summary, sink, hasBegun.isRaised)
  }

  /// A meter that queues 1000 samples a second from now on, by this machine's clock.
  private static func queueing(
    _ change: @escaping @Sendable (_ reply: Int, _ frame: [UInt8]) -> [UInt8] = { $1 },
    skips: @escaping @Sendable (Int) -> Bool = { _ in false }
  ) -> @Sendable ([UInt8]) -> [[UInt8]] {
    let start = MonotonicTime.now.nanoseconds
    let state = Mutex((next: 0, replies: 0))
    return { request in
      guard request[0] == 0x0c else { return KM003CWire.common(request) }
      let due = Int((MonotonicTime.now.nanoseconds - start) / 1_000_000)
      let (numbers, reply) = state.withLock { state in
        let numbers = state.next..<min(max(state.next, due), state.next + 48)
        state.next = numbers.upperBound
        if !numbers.isEmpty { state.replies += 1 }
        return (numbers.filter { !skips($0) }, state.replies)
      }
      let isAsked = request[2] & 4 != 0
      let frames = (isAsked ? numbers : []).map {
        KM003CFrames.sample((65_400 + $0) & 0xffff, volts: 5_000_000 + $0, amperes: -$0)
      }
      let values =
        request[2] & 2 == 0
        ? []
        : KM003CFrames.values(
          volts: 5_000_000, amperes: 3, temperature: 3200, follows: !frames.isEmpty)
      let queue = frames.isEmpty ? [] : KM003CFrames.samples(frames)
      return [change(reply, KM003CFrames.reply(number: request[1], values + queue))]
    }
  }

  @Test func theQueueIsGivenOutWithItsTimes() throws {
    let before = MonotonicTime.now.nanoseconds
    let (summary, sink, began) = try capture(
      ["channels": .list(["temperature", "bus"])], Self.queueing())
    let after = MonotonicTime.now.nanoseconds
    #expect(began && summary.failure == nil && summary.lost == 0 && sink.events.isEmpty)
    let codes = sink.codes(0)
    #expect(codes == (0..<Int64(codes.count)).map { 5_000_000 + $0 })
    #expect(sink.codes(1) == codes.map { 5_000_000 - $0 })
    let times = sink.times()
    #expect(times.allSatisfy { (before - 2_000_000)...after ~= $0 })
    #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 1_000_000 })
    #expect(sink.codes(2) == [3200] && summary.samples[2] == 1)
    #expect(summary.samples[0] == Int64(codes.count) && summary.witnesses.count == 2)
  }

  @Test func aLossIsAGapAndADamagedReplyIsOne() throws {
    let (summary, sink, _) = try capture(
      samples: 500,
      Self.queueing(
        { reply, frame in reply == 12 ? Array(frame.dropLast(3)) : frame },
        skips: { 150..<175 ~= $0 }))
    let gaps = sink.events.filter { $0.kind == .gap }
    #expect(summary.failure == nil && gaps.count == 2, "\(sink.events)")
    #expect(gaps.contains { $0.count == 25 && $0.to - $0.from == 26_000_000 })
    #expect(summary.lost == gaps.compactMap(\.count).reduce(0, +) && summary.lost > 25)
    #expect(summary.counts["damaged replies"] == 1)
    let times = Set(sink.times())
    #expect(gaps.allSatisfy { times.contains($0.from) && times.contains($0.to) })
  }

  @Test func nonsenseEndsItAndKeepsWhatCame() throws {
    let (summary, sink, _) = try capture(
      samples: .max,
      Self.queueing({ reply, frame in reply > 10 ? frame + [0, 0, 0, 0] : frame }))
    #expect(summary.failure?.code == .malfunction && summary.counts["damaged replies"] == 8)
    #expect(sink.codes(0).count >= 100 && summary.samples[0] == Int64(sink.codes(0).count))
  }

  @Test func numbersThatGoBackEndIt() throws {
    let (summary, sink, _) = try capture(
      samples: .max,
      Self.queueing({ reply, frame in
        guard reply > 10, frame.count >= 28 else { return frame }
        return frame[..<8] + [0, 0] + frame[10...]
      }))
    #expect(summary.failure?.code == .malfunction)
    #expect(summary.failure?.message.contains("went back") == true && !sink.codes(0).isEmpty)
  }

  @Test func aQueueThatStopsIsTold() throws {
    let (summary, sink, _) = try capture(samples: .max, Self.queueing(skips: { $0 > 120 }))
    #expect(summary.failure?.code == .timedOut && sink.codes(0).count == 121)
  }

  @Test func valuesAreAskedForAtAPace() throws {
    let options: [String: Value] = [
      "reading": .text("values"), "rate": .number(200), "reversed": .boolean(true),
      "channels": .list(["bus", "cc", "data", "temperature"])
    ]
    let (summary, sink, began) = try capture(options, samples: 60, Self.queueing())
    #expect(began && summary.failure == nil && summary.samples.count == 7)
    let expected: [Int64] = [5_000_000, -3, 16_500, 200, 6000, 5900, 3200]
    #expect((0..<7).map { Set(sink.codes($0)) } == expected.map { [$0] })
    let times = sink.times()
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
    #expect((summary.clock.residual) > 0 && summary.witnesses == ["an answer to each question"])
    // A reply without values is an error, and no sample; eight in a row end it.
    let (other, none, _) = try capture(options, samples: 1) { request in
      [KM003CFrames.reply(number: request[1], KM003CFrames.samples([]))]
    }
    #expect(other.failure?.code == .malfunction && none.codes(0).isEmpty && other.lost == 8)
    #expect(none.events.filter { $0.kind == .error }.count == 8)
  }

  /// Unplugged, or silent, at each step: opening takes four commands, starting four more, then it measures.
  @Test(arguments: [MeterFailure.Code.gone, .timedOut])
  func eachStepThatFailsIsTold(code: MeterFailure.Code) async throws {
    for step in Array(1...12) + [30] {
      let wire = KM003CWire(Self.queueing())
      wire.end(at: step, MeterFailure(code, "m: no more"))
      let releases = Mutex(0)
      let sink = CollectingSink()
      let failure = await meterFailure {
        let meter = try KM003CDriver.open(
          wire, MeterIdentity(name: "m", driver: "km003c"), KM003COptions([:], of: "m"), until: soon
        ) { releases.withLock { $0 += 1 } }
        do {
          try await meter.start(into: sink, until: soon)
          _ = soon.ended(by: [try #require(meter.isOver)]).wait()
        } catch {
          await meter.close()
          throw error
        }
        let summary = await meter.stop(until: soon)
        await meter.close()
        await meter.close()
        #expect(summary.samples[0] == Int64(sink.codes(0).count))
        if let failure = summary.failure { throw failure }
      }
      #expect(failure?.code == code, "\(step): \(failure as Any)")
      #expect(failure?.message.hasPrefix("m: ") == true)
      #expect(releases.withLock { $0 } == (step <= 4 ? 0 : 1), "\(step)")
      #expect(wire.requests.count >= step)
    }
  }

  @Test func optionsAreHeldAgainstWhatItCan() throws {
    for (options, part) in [
      (["rate": .number(100)], "1000 samples"), (["channels": .list(["vdd"])], "no channel"),
      (["channels": .list([])], "names none"),
      (["channels": .list(["temperature"])], "temperature"),
      (["accuracy": .map(["mass": "1 %"])], "accuracy")
    ] as [([String: Value], String)] {
      let failure = Self.failure { _ = try KM003COptions(options, of: "m") }
      #expect(failure?.code == .invalid && failure?.message.contains(part) == true, "\(options)")
    }
    let slow = try KM003COptions(
      ["rate": .number(2), "channels": .list(["cc", "bus"])], of: "m")
    #expect(
      slow.channels.map(\.name) == ["bus-voltage", "bus-current", "cc1-voltage", "cc2-voltage"])
    #expect(slow.channels.map(\.scale) == [1e-6, 1e-6, 1e-4, 1e-4])
    let polled = try KM003COptions(
      [
        "reading": .text("values"), "rate": .number(100), "channels": .list(["temperature"]),
        "accuracy": .map(["voltage": "0.1 %"])
      ], of: "m")
    #expect(polled.channels.map(\.unit) == ["degC"] && polled.rate == 100)
  }
}
