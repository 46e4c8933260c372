package import KelvinConnections
internal import KelvinModel
internal import KelvinSystem
internal import KelvinTargets

/// How a board's boot loader is reached, as `bootloader` of its bench file says.
package enum BootLoaderLink: Sendable {
  /// U-Boot, over a line that carries its console.
  case uboot(any ConsoleLine, UBootOptions)
  case fastboot(FastbootAddress)
}

/// Brings a board back from its boot loader, where it sits, or which it comes to again and again.
///
/// U-Boot is reached by a restart whose autoboot is stopped, where something restarts the board; else
/// where it is. A board in fastboot is found there, since nothing from outside leads to it. Whatever it
/// does, the board boots afterwards.
struct BootLoaderRescue {
  let board: String
  let link: BootLoaderLink?
  let plan: RungPlan.Rescue
  /// What restarts the board.
  let equipment: BoardEquipment
  let note: (String) -> Void

  /// Seconds for a fastboot device to show.
  private static let patience = 10.0
  /// Bytes of a command's words that are kept.
  private static let outputLimit = 65_536

  /// - Throws: what kept the board from being booted: it was not in its boot loader, a command failed.
  func carryOut(until deadline: Deadline) async throws {
    if !plan.run.isEmpty { return try await runCommand(until: deadline) }
    switch link {
    case .uboot(let line, let options):
      try await bootByUBoot(line, options, until: deadline)
    case .fastboot(let address):
      try await bootByFastboot(address, until: deadline)
    case nil:
      throw PlainFailure(
        .configuration, "\(board): its boot loader cannot be reached",
        hint: "add 'bootloader' to its entry, and a console that can be held")
    }
  }

  // MARK: U-Boot

  private func bootByUBoot(
    _ line: any ConsoleLine, _ options: UBootOptions, until deadline: Deadline
  ) async throws {
    // Held before the board starts, so that nothing of that is missed; given back at the end.
    let shell = UBootShell(try line.open(until: deadline), options: options)
    if equipment.hasRestart {
      try await equipment.restart(until: deadline)
      try shell.reach(.afterReset, until: deadline)
    } else {
      try reach(shell, until: deadline)
    }
    note("\(board): is at the prompt of \(shell.version)")
    for command in plan.commands {
      let reply = try shell.run(command, until: deadline)
      note("\(board): U-Boot: \(command)\(status(reply))")
      guard reply.status == 0 || reply.status == nil else {
        throw PlainFailure(
          .target, "\(board): '\(command)' in U-Boot ended with status \(reply.status ?? 1)",
          evidence: String(reply.text.suffix(400)),
          hint: "the board stays at its prompt; nothing after it was run")
      }
    }
    note("\(board): U-Boot: \(plan.boot)")
    try shell.boot(plan.boot, until: deadline)
  }

  private func status(_ reply: UBootReply) -> String {
    reply.status.map { ", status \($0)" } ?? ", its status cannot be told"
  }

  /// Reaches the prompt of a board that nothing restarts: where it is, or the next time that it comes by.
  private func reach(_ shell: UBootShell, until deadline: Deadline) throws {
    while true {
      do throws(ConnectionFailure) {
        return try shell.reach(.stoppingAutoboot, until: deadline)
      } catch {
        // A kernel has the console for now; of one that boots in a loop the boot loader has it next.
        guard error.code == .unsupported, !deadline.hasPassed, !deadline.isInterrupted else {
          throw error
        }
        _ = deadline.limited(toSeconds: 0.25).wait()
      }
    }
  }

  // MARK: fastboot

  private func bootByFastboot(
    _ address: FastbootAddress, until deadline: Deadline
  ) async throws {
    // What cannot be flashed is told before anything is.
    var images: [(partition: String, image: FlashImage)] = []
    for (partition, path) in plan.flash.sorted(by: { $0.key < $1.key }) {
      images.append((partition, try FlashImage(path, until: deadline)))
    }
    let device: FastbootDevice
    do throws(ConnectionFailure) {
      device = try await FastbootDevice.open(
        address, patience: BootLoaderRescue.patience, until: deadline)
    } catch {
      guard error.code == .notFound else { throw error }
      throw PlainFailure(
        .target, "\(board): is not in its boot loader: \(error.message)",
        hint: "fastboot is found where it is; nothing from outside leads a board to it")
    }
    defer { device.close() }
    note("\(board): is in its boot loader (fastboot, \(device.name))")
    device.hear = { note("\(board): boot loader: \($0)") }
    for (name, image) in images {
      let partition = try await device.partition(name, slot: nil, until: deadline)
      let report = try await device.flash(image, to: partition, until: deadline)
      note("\(board): \(partition): \(report.size) bytes written")
    }
    try await device.reboot(toBootloader: false, until: deadline)
  }

  // MARK: A command of this host

  private func runCommand(until deadline: Deadline) async throws {
    let limit = Command.Output.capture(limit: BootLoaderRescue.outputLimit)
    let words = plan.run.joined(separator: " ")
    note("\(board): '\(words)'")
    let result = try await LocalConnection(environment: ["KELVIN_BOARD": board]).execute(
      Command(plan.run, standardOutput: limit, standardError: limit), until: deadline)
    guard !result.isSuccess else { return }
    let how =
      switch result.termination {
      case .exited(let code): "exit code \(code)"
      case .signaled(let number): "signal \(number)"
      }
    throw PlainFailure(
      .infrastructure, "\(board): '\(words)' failed: \(how)",
      evidence: String((result.standardError.text + result.standardOutput.text).suffix(400)),
      hint: "it is 'run' of the rung 'bootloader'")
  }
}
