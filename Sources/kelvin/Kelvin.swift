import KelvinCommands

@main struct Kelvin {
  static func main() async { await KelvinCommand.main(.builtIn) }
}
