import Testing

@testable import KelvinExecution

@Suite struct RingBufferPageTests {
  @Test(arguments: [
    (headerPage64, 8, 16, 4080), (headerPage32, 4, 12, 4084)
  ])
  func readsTheKernelsDescription(text: String, commit: Int, data: Int, size: Int) throws {
    let layout = try #require(RingBufferLayout.test(text))
    #expect(layout.commitSize == commit && layout.commitOffset == 8)
    #expect(layout.dataOffset == data && layout.dataSize == size)
    #expect(layout.pageSize == 4096)
  }

  /// Large pages, and numbers that no kernel says.
  @Test(arguments: [
    ("size:4080", "size:65520", true), ("size:4080", "size:4081", false),
    ("size:4080", "size:0", false), ("size:4080", "size:-1", false),
    ("size:4080", "size:99999999999999999999", false), ("size:4080", "size:16777200", false),
    ("offset:16", "offset:9223372036854775807", false), ("offset:16", "offset:4", false),
    ("offset:8;\tsize:8", "offset:8;\tsize:3", false),
    ("offset:8;\tsize:8", "offset:-8;\tsize:8", false), ("commit", "x", false)
  ])
  func takesWhatAPageCanBe(old: String, new: String, isRight: Bool) {
    #expect((RingBufferLayout.test(headerPage64.replacing(old, with: new)) != nil) == isRight)
  }

  @Test func survivesDamagedDescriptions() {
    withDamage(headerPage64) { text in
      guard let layout = RingBufferLayout(headerPage: text.bytes) else { return }
      #expect(layout.pageSize <= 8 << 20 && layout.dataSize >= 256)
    }
  }

  private static let layouts: [RingBufferLayout] = [headerPage64, headerPage32].flatMap { text in
    [false, true].compactMap { RingBufferLayout.test(text, isBigEndian: $0) }
  }

  private func sample(_ layout: RingBufferLayout) -> PageBuilder {
    var page = PageBuilder(layout)
    page.record([1, 2, 3, 4, 5, 6, 7, 8])
    page.timeExtension()
    page.longRecord([UInt8](repeating: 9, count: 301))
    page.discarded(size: 20)
    page.record([UInt8](repeating: 7, count: 112))
    return page
  }

  @Test(arguments: layouts) func countsRecords(layout: RingBufferLayout) {
    var builder = sample(layout)
    let page = RingBufferPage(builder.page[...], layout)
    #expect(page.events == 3 && page.loss == .none && !page.isDamaged)
    // The rest of a page that had no room for the next record.
    builder.head(29, delta: 0)
    builder.data += [UInt8](repeating: 0xFF, count: 40)
    #expect(RingBufferPage(builder.page[...], layout) == page)
    #expect(RingBufferPage(PageBuilder(layout).page[...], layout).events == 0)
  }

  @Test(arguments: layouts) func tellsWhatWasLostBefore(layout: RingBufferLayout) {
    var builder = sample(layout)
    builder.flags = 1 << 31
    #expect(RingBufferPage(builder.page[...], layout).loss == .unknown)
    builder.flags |= 1 << 30
    builder.stored = 4711
    let page = RingBufferPage(builder.page[...], layout)
    #expect(page.loss == .events(4711) && page.events == 3 && !page.isDamaged)
  }

  @Test(arguments: layouts) func survivesTruncationAtEachByte(layout: RingBufferLayout) {
    let builder = sample(layout)
    let whole = builder.page
    for length in 0..<(layout.dataOffset + builder.data.count) {
      let page = RingBufferPage(whole[..<length], layout)
      #expect(page.isDamaged && page.events < 3 + (length > 0 ? 1 : 0))
    }
  }

  @Test(arguments: layouts) func survivesCorruption(layout: RingBufferLayout) {
    let builder = sample(layout)
    let used = layout.dataOffset + builder.data.count
    var random = SplitMix(state: 20_261_126)
    for place in 0..<used {
      for _ in 0..<8 {
        var page = builder.page
        page[place] = UInt8(truncatingIfNeeded: random.next())
        let read = RingBufferPage(page[...], layout)
        #expect(read.events <= layout.maxEvents)
      }
    }
    for _ in 0..<200 {
      let page = (0..<layout.pageSize).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      #expect(RingBufferPage(page[...], layout).events <= layout.maxEvents)
    }
  }

  @Test func readsStatistics() {
    let text = """
      entries: 12
      overrun: 34
      commit overrun: 5
      bytes: 678
      oldest event ts:  3025.135682
      now ts:  3026.999999
      dropped events: 6
      read events: 7

      """
    let statistics = TraceStatistics(Array(text.utf8))
    #expect(statistics.entries == 12 && statistics.lost == 45)
    withDamage(text) { _ = TraceStatistics($0.bytes).lost }
    var huge = TraceStatistics([])
    huge.overrun = .max
    huge.dropped = 1
    #expect(huge.lost == .max)
  }
}
