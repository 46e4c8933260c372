internal import ArgumentParser
internal import KelvinModel
internal import KelvinStore

/// `kelvin bench release`: ends a reservation.
struct BenchReleaseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release", abstract: "Ends the reservation of a board.",
    discussion: """
      A run that has the board keeps it. The lease of a run that was killed is not released by \
      this: only 'kelvin resume', or a run with --take-over, knows how to leave the board.

      EXAMPLES
        kelvin bench release rock
        kelvin bench release rock --force              another user's reservation
      """)

  @OptionGroup var board: BoardArgument
  @Flag(help: "End another user's reservation, too.") var force = false

  func run() async throws {
    let resource = try board.resource()
    let store = try BenchStore.open()
    defer { store.close() }
    switch try store.cancelReservation(of: resource, force: force) {
    case .ended(let reservation):
      Terminal.standardOutput.line(
        "\(resource.label): the reservation of \(reservation.user) is ended")
    case .refused(let refusal): throw refusal
    case .nothingReserved:
      let status = try store.status(of: resource)
      Terminal.standardOutput.line("\(resource.label): is not reserved")
      if let lease = status.lease, let standing = status.standing, !status.isAbandoned {
        throw LeaseRefusal([.init(resource, .leased(lease, standing))])
      }
    }
  }
}
