internal import KelvinModel

extension Recipe {
  /// Any program: argv, never through a shell unless asked.
  static let command = Recipe(
    Declaration(
      .workload, "command", summary: "Runs any program on the target.",
      description: """
        The words of argv are handed to the program as they are; no shell sees them unless 'shell' \
        is true, when the words are joined and given to 'sh -c'. Metrics, pass and fail patterns are \
        matched against what the program itself prints, never against its command line.
        """,
      options: [
        OptionDeclaration(
          "argv", .argv, aliases: ["command"], required: true,
          "The program and its arguments, as a list of words or a line that is split as a shell "
            + "splits words."),
        OptionDeclaration(
          "shell", .boolean, default: false, "Give the line to 'sh -c' instead.")
      ]),
    argv: { parameters in
      let words = parameters.words("argv")
      return parameters.flag("shell") ? ["sh", "-c", words.joined(separator: " ")] : words
    })

  /// A script of the user's, brought to the target.
  static let shellScript = Recipe(
    Declaration(
      .workload, "shellscript", summary: "Runs a shell script of yours on the target.",
      description: "The script is brought to the target and run by its sh.",
      options: [
        OptionDeclaration("script_file", .path, required: true, "The script, on the host."),
        OptionDeclaration(
          "argstring", .text, default: "",
          "Its arguments, split as a shell splits words; nothing is expanded."),
        OptionDeclaration(
          "as_root", .boolean, default: false, "Whether it needs root; then Kelvin must be root.")
      ]),
    files: { parameters in parameters.text("script_file").map { [$0] } ?? [] },
    argv: { parameters in
      guard let arguments = ShellWords.split(parameters.text("argstring") ?? "") else {
        throw PlainFailure(.configuration, "argstring: a quote is left open")
      }
      return ["sh", parameters.text("script_file") ?? ""] + arguments
    })
}
