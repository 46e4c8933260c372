internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets

// How images get onto a board.
extension Runner {
  /// Seconds for images to get to the board.
  static let deployTimeout = 1800.0

  /// Has the board boot the images; returns when it is on its way.
  func deliver(
    _ images: DeployImages, by way: Deployment.Way, _ equipment: DeployEquipment,
    _ ladder: Ladder
  ) async throws {
    let deadline = Deadline.after(seconds: Runner.deployTimeout, interrupt: run.stop)
    let board = run.target.name
    switch way {
    case .kexec:
      let program = equipment.option(way, "program")?.text ?? "kexec"
      try await run.target.loadKernel(
        images, program: program, options: equipment.words(way, "options"), until: deadline)
      try await run.target.startLoadedKernel(program: program, until: deadline)
    case .uboot: try await deliverByUBoot(images, equipment, ladder, deadline)
    case .fastboot: try await deliverByFastboot(images, equipment, ladder, deadline)
    case .sdMux:
      guard let power = request.equipment.power else {
        throw PlainFailure(
          .configuration, "\(board): 'sd-mux' needs the board's power switched",
          hint: "add 'power' to its entry")
      }
      await run.target.connection.close()
      var written: Result<Void, any Error>?
      try await request.equipment.withoutPower("deploy by sd-mux") {
        _ = try await power.set(.off, until: deadline)
        written = await Result.of {
          try await equipment.writeCard(images, board: board, until: deadline)
        }
        // Whatever became of the card, the board is not left off.
        _ = try await power.set(.on, until: .after(seconds: 60))
      }
      try written?.get()
    case .command:
      try await equipment.runCommand(images, board: board, interrupt: run.stop)
      switch equipment.option(way, "then")?.text {
      case "wait": break
      case "power_cycle":
        _ = try await ladder.order(request.equipment.plan(of: .powerCycle), until: deadline)
      default: _ = try await ladder.order(request.equipment.plan(of: .reboot), until: deadline)
      }
    }
  }

  /// Restarts the board, stops its autoboot, loads the images, starts them.
  private func deliverByUBoot(
    _ images: DeployImages, _ equipment: DeployEquipment, _ ladder: Ladder, _ deadline: Deadline
  ) async throws {
    guard let open = equipment.openUBoot else {
      throw PlainFailure(
        .configuration, "\(run.target.name): nothing leads to its U-Boot",
        hint: "add 'console' and 'bootloader: uboot' to its entry")
    }
    // Held before the board starts, so that nothing of that is missed.
    let shell = try open(deadline)
    let rung: Rung =
      request.equipment.reset != nil
      ? .reset : request.equipment.power != nil ? .powerCycle : .reboot
    _ = try await ladder.order(request.equipment.plan(of: rung), until: deadline)
    await run.target.connection.close()
    try shell.reach(.afterReset, until: deadline.limited(toSeconds: 180))
    try UBootDelivery(
      images, board: run.target.name, options: equipment.ways.options[.uboot] ?? [:]
    ).carryOut(in: shell, until: deadline)
  }

  /// Writes the images into partitions of their own, and boots.
  private func deliverByFastboot(
    _ images: DeployImages, _ equipment: DeployEquipment, _ ladder: Ladder, _ deadline: Deadline
  ) async throws {
    let board = run.target.name
    guard let address = equipment.fastboot else {
      throw PlainFailure(
        .configuration, "\(board): no boot loader of it speaks fastboot",
        hint: "say how it is reached: 'bootloader: {fastboot: {tcp: 10.0.0.7}}'")
    }
    var flashes: [(image: FlashImage, partition: String)] = []
    for (key, path) in images.deployment.files {
      guard let partition = equipment.option(.fastboot, key)?.text else {
        throw PlainFailure(
          .configuration, "\(board): deploy: fastboot: no partition is named for '\(key)'",
          hint: "add it to its bench entry: 'deploy: {fastboot: {\(key): PARTITION}}'")
      }
      flashes.append((try FlashImage(path, until: deadline), partition))
    }
    try await run.target.enterBootLoader(
      by: equipment.option(.fastboot, "enter")?.text ?? "reboot bootloader", until: deadline)
    let device = try await FastbootDevice.open(
      address, patience: request.equipment.bootSeconds, until: deadline)
    defer { device.close() }
    device.hear = { [log = run.log] in log.log(.info, source: "deploy", "\(board): fastboot: \($0)")
    }
    for (image, partition) in flashes {
      let whole = try await device.partition(
        partition, slot: equipment.option(.fastboot, "slot")?.text, until: deadline)
      let report = try await device.flash(image, to: whole, until: deadline)
      run.log.log(
        .info, source: "deploy", "\(board): \(report.partition): \(report.sent) bytes written")
    }
    try await device.reboot(until: deadline)
  }
}

extension Result where Success == Void, Failure == any Error {
  /// What came of it.
  fileprivate static func of(_ body: () async throws -> Void) async -> Self {
    do {
      try await body()
      return .success(())
    } catch {
      return .failure(error)
    }
  }
}
