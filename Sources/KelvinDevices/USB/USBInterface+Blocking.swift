public import KelvinModel

// The same transfers for threads of their own, which they block.
extension USBInterface {
  /// Reads one transfer into a buffer of the caller's. Blocks the calling thread.
  ///
  /// - Parameter count: at most; should be a multiple of the endpoint's packet size. The transfer ends
  ///   early with the first packet that is not full.
  /// - Returns: how many bytes came; 0 for an empty packet.
  public func readBlocking(
    _ address: UInt8, into transfer: USBTransfer, count: Int, until deadline: Deadline
  ) throws(USBFailure) -> Int {
    precondition(address & 0x80 != 0, "endpoint \(address) is not IN")
    let endpoint = try endpoint(at: address)
    return try device.runBlocking(
      .endpoint(address, endpoint.kind, endsWithEmptyPacket: false), transfer, count, owner: uses,
      until: deadline)
  }

  /// Writes the first bytes of a buffer of the caller's. Blocks the calling thread.
  ///
  /// - Parameter endsWithEmptyPacket: adds an empty packet when the last one is full.
  /// - Throws: with ``USBFailure/transferred`` bytes that had gone out.
  public func writeBlocking(
    _ address: UInt8, from transfer: USBTransfer, count: Int, endsWithEmptyPacket: Bool = false,
    until deadline: Deadline
  ) throws(USBFailure) {
    precondition(address & 0x80 == 0, "endpoint \(address) is not OUT")
    let endpoint = try endpoint(at: address)
    _ = try device.runBlocking(
      .endpoint(address, endpoint.kind, endsWithEmptyPacket: endsWithEmptyPacket), transfer, count,
      owner: uses, until: deadline)
  }
}

extension USBDevice {
  /// Sends a control request and reads the answer into a buffer of the caller's. Blocks the calling thread.
  ///
  /// - Returns: how many bytes came; at most `count`.
  public func controlReadBlocking(
    _ setup: USBControlSetup, into transfer: USBTransfer, count: Int, until deadline: Deadline
  ) throws(USBFailure) -> Int {
    precondition(setup.isIn && count >= 0 && count <= 65_535, "no request to read: \(setup)")
    return try runBlocking(.control(setup), transfer, count, owner: uses, until: deadline)
  }

  /// Runs a transfer to its end on the calling thread.
  fileprivate func runBlocking(
    _ request: USBTransfer.Request, _ transfer: USBTransfer, _ count: Int, owner: UseCount,
    until deadline: Deadline
  ) throws(USBFailure) -> Int {
    guard let use = uses.begin({ transfer.cancel() }) else { throw closed(request.words) }
    defer { uses.end(use) }
    guard let ownersUse = owner.begin({ transfer.cancel() }) else { throw closed(request.words) }
    defer { owner.end(ownersUse) }

    transfer.prepareToSubmit()
    if let interrupt = deadline.interrupt { context.loop.watch(interrupt, for: transfer) }
    defer {
      if let interrupt = deadline.interrupt { context.loop.unwatch(interrupt, for: transfer) }
    }
    // After the watch has begun, so that none is missed.
    if deadline.isInterrupted { transfer.cancel() }
    let box = OutcomeBox()
    transfer.submit(
      request, count: count, on: handle, of: context.loop.library, until: deadline
    ) { box.put($0) }
    let verdict = USBVerdict(box.take())
    guard var code = verdict.code else { return verdict.moved }
    if verdict.isUndecided, looksGone() { code = .disconnected }
    throw failure(code, request.words, verdict.moved, request.isIn ? transfer : nil)
  }
}
