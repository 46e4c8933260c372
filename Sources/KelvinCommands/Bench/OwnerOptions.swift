internal import ArgumentParser
internal import KelvinDevices

/// Where the owner of ports is, for whoever keeps several.
struct OwnerPlaceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Holds the owner's socket; default: $XDG_RUNTIME_DIR/kelvin, else /tmp/kelvin-UID.",
      visibility: .hidden))
  var runtimeDirectory: String?

  @Option(
    help: ArgumentHelp(
      "Holds the consoles' logs; default: $XDG_STATE_HOME/kelvin, else ~/.local/state/kelvin.",
      visibility: .hidden))
  var stateDirectory: String?

  func validate() throws {
    for path in [runtimeDirectory, stateDirectory] {
      if let path, !path.hasPrefix("/") {
        throw ValidationError("'\(path)': an absolute path is needed")
      }
    }
  }

  var places: OwnerPlaces {
    let standard = OwnerPlaces.standard
    return OwnerPlaces(
      runtimeDirectory: runtimeDirectory ?? standard.runtimeDirectory,
      stateDirectory: stateDirectory ?? standard.stateDirectory)
  }
}

/// A console by name and address: `NAME=KIND:WHERE`.
struct ConsoleArgument: ExpressibleByArgument {
  let name: String
  let address: ConsoleAddress

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1)
    guard parts.count == 2, Owner.isValidName(String(parts[0])),
      let address = try? ConsoleAddress(String(parts[1]))
    else { return nil }
    name = String(parts[0])
    self.address = address
  }
}
