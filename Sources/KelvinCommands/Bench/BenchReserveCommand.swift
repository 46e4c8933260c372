internal import ArgumentParser
internal import KelvinModel
internal import KelvinStore

/// `kelvin bench reserve`: keeps a board for its user.
struct BenchReserveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reserve", abstract: "Keeps a board for you, until a time.",
    discussion: """
      Runs of other users are refused until then; your own are not. A run that has the board now \
      goes on to its end. Users who share an account tell themselves apart with KELVIN_USER.

      EXAMPLES
        kelvin bench reserve rock --for 2h --reason bring-up
        kelvin bench reserve rock --for '30 min'       again: from now on
      """)

  @OptionGroup var board: BoardArgument
  @Option(name: .customLong("for"), help: "How long: 30min, 2h, 1d.")
  var duration: Hours
  @Option(help: "Why, for the others.") var reason = ""

  /// A duration with its unit.
  struct Hours: ExpressibleByArgument {
    let nanoseconds: Int64

    init?(argument: String) {
      guard let quantity = Quantity(argument), let unit = quantity.unit, unit.dimension == .time,
        quantity.value > 0, quantity.value <= 366 * 86_400
      else { return nil }
      nanoseconds = Int64(quantity.value * 1e9)
    }
  }

  func run() async throws {
    let resource = try board.resource()
    let store = try BenchStore.open()
    defer { store.close() }
    if let refusal = try store.reserve(
      resource, forNanoseconds: duration.nanoseconds, reason: reason)
    {
      throw refusal
    }
    let status = try store.status(of: resource)
    let end = status.reservation.map { WallTime.text(nanoseconds: $0.expires.wallNanoseconds) }
    Terminal.standardOutput.line(
      "\(resource.label): reserved for \(store.holder.user) until \(end ?? "now")")
    if status.state != .free {
      Terminal.standardError.line("kelvin: \(resource.label): \(StatusText.details(of: status))")
    }
  }
}
