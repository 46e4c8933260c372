import KelvinModel
import Testing

@testable import KelvinAgenda

/// YAML as located values.
@Suite struct YAMLTests {
  private func read(
    _ text: String, limits: AgendaRequest.Limits = .init()
  ) throws -> LocatedValue {
    let document = try YAMLDocument(text: text, file: "f.yaml", limits: limits)
    if let first = document.diagnostics.first { throw ConfigurationFailure([first]) }
    return try #require(document.root)
  }

  /// The diagnostic that ends the reading, or the first duplicate key.
  private func mistake(
    _ text: String, limits: AgendaRequest.Limits = .init()
  ) -> String {
    do throws(YAMLFailure) {
      let document = try YAMLDocument(text: text, file: "f.yaml", limits: limits)
      return document.diagnostics.first?.description ?? "none"
    } catch {
      return error.diagnostic.description
    }
  }

  @Test func everyValueKnowsItsPlace() throws {
    let root = try read("a:\n  - x\n  - {b: 'y', c: [1]}\nd: é é\n")
    let map = try #require(root.map)
    #expect(map.map(\.key) == ["a", "d"])
    #expect(map[0].keyLocation == SourceLocation(file: "f.yaml", line: 1, column: 1))
    let list = try #require(map[0].value.list)
    #expect(list[0].location == SourceLocation(file: "f.yaml", line: 2, column: 5))
    let inner = try #require(list[1].map)
    #expect(inner[0].keyLocation == SourceLocation(file: "f.yaml", line: 3, column: 6))
    #expect(inner[0].value.location == SourceLocation(file: "f.yaml", line: 3, column: 9))
    #expect(inner[1].value.list?[0].location == SourceLocation(file: "f.yaml", line: 3, column: 18))
  }

  @Test func columnsCountCharactersNotBytes() throws {
    let root = try read("{é: 1, ü: 2}")
    #expect(root.map?[1].keyLocation.column == 8)
  }

  @Test func scalarsKeepTheirTextAndQuotes() throws {
    let root = try read(
      "[no, 'no', \"1.10\", 1.10, 0x10, |\n  block\n]".replacing("|\n  block\n", with: "!!str 5"))
    let scalars = try #require(root.list).compactMap(\.scalar)
    #expect(scalars.map(\.text) == ["no", "no", "1.10", "1.10", "0x10", "5"])
    #expect(scalars.map(\.isQuoted) == [false, true, true, false, false, true])
  }

  @Test func wasOwnTagForPatternsIsUnderstood() throws {
    let root = try read("prompt: !<tag:wa:regex> '8:^x:$'")
    #expect(root.map?[0].value.scalar == .init("^x:$", isQuoted: true))
  }

  @Test func emptyTextHoldsNothing() throws {
    for text in ["", "\n\n", "# only a comment\n"] {
      #expect(try YAMLDocument(text: text, file: "f", limits: .init()).root == nil)
    }
  }

  // MARK: anchors and merge keys

  @Test func aliasesShareTheValueWithItsPlace() throws {
    let root = try read("a: &x {k: 1}\nb: *x\n")
    let map = try #require(root.map)
    #expect(map[1].value == map[0].value)
    #expect(map[1].value.location.line == 1)
  }

  @Test func anAnchorMayBeDefinedAgain() throws {
    let root = try read("[&x 1, *x, &x 2, *x]")
    #expect(root.list?.compactMap { $0.scalar?.text } == ["1", "1", "2", "2"])
  }

  @Test func mergeKeysYieldToOwnKeysAndEarlierMaps() throws {
    let root = try read(
      """
      base: &base {a: 1, b: 1}
      other: &other {b: 2, c: 2}
      one: {<<: *base, b: 3}
      two:
        <<: [*base, *other]
        d: 4
      """)
    let map = try #require(root.map)
    #expect(map[2].value.untyped == ["a": 1, "b": 3])
    #expect(map[3].value.untyped == ["a": 1, "b": 1, "c": 2, "d": 4])
    #expect(map[3].value.map?.map(\.key) == ["a", "b", "c", "d"])
  }

  @Test func aQuotedMergeKeyIsAnOrdinaryKey() throws {
    #expect(try read("'<<': {a: 1}").untyped == ["<<": ["a": 1]])
  }

  @Test(arguments: [
    (
      "a: &a [*a]\n", "f.yaml:1:8: error: alias '*a' stands inside the value that it names"
    ),
    ("a: *b\n", "f.yaml:1:4: error: alias '*b' names no anchor before it"),
    (
      "a: &base 1\nb: *bse\n",
      "f.yaml:2:4: error: alias '*bse' names no anchor before it; did you mean '*base'?"
    ),
    ("a: {<<: [1]}", "f.yaml:1:10: error: '<<' merges a map or a list of maps, not '1'")
  ])
  func badAliasesAreRefused(text: String, expected: String) {
    #expect(mistake(text) == expected)
  }

  // MARK: mistakes

  @Test(arguments: [
    (
      "a: 1\nb: 2\na: 3\n",
      "f.yaml:3:1: error: duplicate key 'a': already written at f.yaml:1:1; remove one of them"
    ),
    (
      "{a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1, j: 1, c: 2}",
      "f.yaml:1:62: error: duplicate key 'c': already written at f.yaml:1:14; remove one of them"
    ),
    (
      "a: 1\n---\nb: 2\n",
      "f.yaml:2:1: error: a second document starts here; write one document to a file, without "
        + "'---' between parts"
    ),
    (
      "a:\n\t- b\n",
      "f.yaml:2:1: error: not valid YAML: while scanning for the next token at 2:1: found "
        + "character that cannot start any token; line 2 is indented with a tab; YAML takes spaces "
        + "only"
    ),
    (
      "a: b: c\n",
      "f.yaml:1:5: error: not valid YAML: mapping values are not allowed in this context; check "
        + "the indentation, and quote text that contains ': '"
    ),
    (
      "a: [1, 2\nb: 3\n",
      "f.yaml:2:2: error: not valid YAML: while parsing a flow sequence at 1:4: did not find "
        + "expected ',' or ']'; check the indentation, brackets and quotes up to here"
    ),
    (
      "a: @x\n",
      "f.yaml:1:4: error: not valid YAML: while scanning for the next token at 1:4: found "
        + "character that cannot start any token; quote text that starts with this character"
    ),
    (
      "[1]: 2\n",
      "f.yaml:1:1: error: a key must be a word, not a list or map; quote text that starts with "
        + "'[' or '{'"
    ),
    ("a: &x [1]\n*x : 2\n", "f.yaml:2:1: error: a key must be a word, not a list"),
    (
      "a: !!python/object:os.system x\n",
      "f.yaml:1:4: error: tag 'tag:yaml.org,2002:python/object:os.system' is not understood; "
        + "remove it"
    ),
    ("é: \u{1}\n", "f.yaml:1:4: error: not valid YAML: control characters are not allowed")
  ])
  func mistakesNameTheirPlaceAndTheWayOut(text: String, expected: String) {
    #expect(mistake(text) == expected)
  }

  @Test func everyDuplicateKeyIsReported() throws {
    let document = try YAMLDocument(
      text: "a: 1\na: 2\nb: {c: 1, c: 2}\na: 3\n", file: "f", limits: .init())
    #expect(
      document.diagnostics.map { "\($0.location.line):\($0.location.column)" } == [
        "3:11", "2:1", "4:1"
      ])
    #expect(document.root?.map?.map(\.key) == ["a", "b"])
  }

  // MARK: limits

  @Test(arguments: ["[", "{a: ", "- ", "? "])
  func nestingIsLimited(opening: String) {
    let text = String(repeating: opening, count: 100_000)
    #expect(
      mistake(text).contains("nested more than 200 levels")
        || mistake(text).contains("a key must be a word"))
  }

  @Test func theDeepestNestingAllowedIsRead() throws {
    let text = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
    #expect(try YAMLDocument(text: text, file: "f", limits: .init()).height == 200)
  }

  @Test func aliasesCannotNestDeeperThanText() {
    // Each line nests the one before it, so depth would multiply without being written.
    var text = "- &a0 [x]\n"
    for line in 1..<300 { text += "- &a\(line) [*a\(line - 1)]\n" }
    #expect(
      mistake(text)
        == "f.yaml:200:10: error: lists and maps are nested more than 200 levels deep")
  }

  @Test func anAliasBombIsRefusedWhereItBursts() {
    var text = "- &a [x, x, x, x, x, x, x, x, x, x]\n"
    for name in "bcdefghij" {
      let previous = Character(UnicodeScalar((name.asciiValue ?? 98) - 1))
      text +=
        "- &\(name) [" + Array(repeating: "*\(previous)", count: 10).joined(separator: ", ")
        + "]\n"
    }
    #expect(
      mistake(text)
        == "f.yaml:7:7: error: alias '*f' expands the file to more than 2000000 values; aliases of "
        + "aliases multiply; write the values out")
  }

  @Test func valuesAreCountedWithoutAliasesToo() {
    #expect(
      mistake("[1, 2, 3]", limits: .init(values: 3))
        == "f.yaml:1:8: error: the file holds more than 3 values")
    #expect(mistake("[1, 2, 3]", limits: .init(values: 4)) == "none")
  }

  @Test(.timeLimit(.minutes(1))) func aFloodOfDirectivesEndsAtOnce() {
    let text =
      (0..<500_000).map { "%TAG !a\($0)! x\n" }.joined() + "---\na: 1\n"
    #expect(
      mistake(text)
        == "f.yaml:101:1: error: more than 100 lines start with '%'; YAML directives are not "
        + "needed here")
  }
}
