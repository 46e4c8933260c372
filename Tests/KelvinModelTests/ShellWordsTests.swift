import KelvinModel
import Testing

@Suite struct ShellWordsTests {
  @Test(arguments: [
    ("", []), ("  ", []), ("a", ["a"]), ("a b\tc\nd", ["a", "b", "c", "d"]),
    ("'a b' c", ["a b", "c"]), ("a'b c'd", ["ab cd"]), ("''", [""]), ("\"a b\"", ["a b"]),
    (#""a\"b" "c\d""#, ["a\"b", #"c\d"#]), (#"a\ b"#, ["a b"]), ("a\\\nb", ["ab"]),
    ("$x * | ; #", ["$x", "*", "|", ";", "#"]), (#"'\'"#, [#"\"#])
  ])
  func wordsAreSplitAsAShellSplits(line: String, expected: [String]) {
    #expect(ShellWords.split(line) == expected)
  }

  @Test(arguments: ["'a", "\"a", "a\\", "\"a\\"])
  func openQuotesAreRefused(line: String) {
    #expect(ShellWords.split(line) == nil)
  }

  @Test(arguments: [
    "", "a", "a b", "it's", "\"", "$HOME", "a\nb", "\\", "é", "-x", "a=b", "*", "~", "!", "#"
  ])
  func quotedWordsReadBack(word: String) {
    #expect(ShellWords.split(ShellWords.quote(word)) == [word])
    #expect(ShellWords.split(ShellWords.join([word, "x", word])) == [word, "x", word])
  }
}
