internal import ArgumentParser

/// `kelvin completion`: the completion script for a shell.
struct CompletionCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completion",
    abstract: "Prints the completion script for bash, zsh or fish.",
    discussion: """
      EXAMPLES
        source <(kelvin completion bash)
        kelvin completion zsh > ~/.zfunc/_kelvin
        kelvin completion fish > ~/.config/fish/completions/kelvin.fish
      """)

  enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }

  @Argument(help: "bash, zsh or fish.") var shell: Shell

  func run() async throws {
    let kind: CompletionShell =
      switch shell {
      case .bash: .bash
      case .zsh: .zsh
      case .fish: .fish
      }
    Terminal.standardOutput.line(KelvinCommand.completionScript(for: kind))
  }
}
