internal import KelvinModel

extension Recipe {
  /// Any program: argv, never through a shell unless asked.
  static let command = Recipe(
    Declaration(
      .workload, "command", summary: "Runs any program on the target.",
      description: """
        The words of argv are handed to the program as they are; no shell sees them unless 'shell' \
        is true. Metrics, pass and fail patterns are matched against what the program itself prints, \
        never against its command line.
        """,
      options: [
        OptionDeclaration(
          "argv", .list(.text), aliases: ["command"], required: true,
          "The program and its arguments: a list of words, or one line that is split as a shell "
            + "splits words, with nothing expanded."),
        OptionDeclaration(
          "shell", .boolean, default: false,
          "Give the line to 'sh -c' as it is written; the words of a list are joined by blanks.")
      ]),
    argv: { parameters in
      let words = parameters.words("argv")
      if parameters.flag("shell") {
        let line = words.joined(separator: " ")
        return line.isEmpty ? [] : ["sh", "-c", line]
      }
      return words.count == 1 ? try line(words[0]) : words
    })

  /// A text alone is a line. The validated option cannot tell it from a list of one word, which is
  /// the same unless a program's name holds blanks or quotes.
  private static func line(_ text: String) throws -> [String] {
    try Parameters(values: ["argv": .text(text)]).line("argv")
  }

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
          "as_root", .boolean, default: false,
          "Whether it needs root; then Kelvin must be root on the target.")
      ]),
    files: { parameters in parameters.text("script_file").map { [$0] } ?? [] },
    argv: { parameters in
      ["sh", parameters.text("script_file") ?? ""] + (try parameters.line("argstring"))
    }
  ).with { $0.needsRoot = { $0.flag("as_root") } }
}
