import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// A U-Boot without hush and without line editing: none is packaged, so a script plays one. It follows
/// cli_simple.c and the plain branch of cli_readline.c: no status, no conditions, no quotes but '...',
/// which keep no blanks together.
@Suite(.timeLimit(.minutes(3)))
struct UBootSimpleTests {
  private static let script = """
    import os, sys, time, tty, zlib
    tty.setraw(0)
    lacking = os.environ.get('LACKING', '').split()
    variables = {'bootdelay': '3', 'serverip': '10.0.0.1'}
    def put(text): os.write(1, text.replace('\\n', '\\r\\n').encode('latin1'))
    def line():
        text = ''
        while True:
            key = os.read(0, 1).decode('latin1')
            if key == '\\r': put('\\n'); return text
            if key == '\\x03': put('<INTERRUPT>\\n'); return ''
            if key == '\\x15': put('\\b \\b' * len(text)); text = ''
            elif len(text) >= 254: put('\\a')
            else: text += key; put(key)
    def pieces(text):
        quoted, piece = False, ''
        for c in text:
            if c == "'": quoted = not quoted
            if c == ';' and not quoted: yield piece; piece = ''
            else: piece += c
        yield piece
    def words(text):
        text = text.replace("'", '')
        for name, value in variables.items(): text = text.replace('${%s}' % name, value)
        return text.split()
    def run(argv):
        name = argv[0]
        if name in lacking: name = ''
        if name == 'version': put('\\nU-Boot 2010.06 (Jan 01 2012 - 00:00:00)\\n')
        elif name == 'echo': put(' '.join(argv[1:]) + '\\n')
        elif name == 'false': pass
        elif name == 'sleep':
            for _ in range(10 * int(argv[1])):
                time.sleep(0.1)
        elif name == 'setenv':
            variables.pop(argv[1], None)
            if len(argv) > 2: variables[argv[1]] = ' '.join(argv[2:])
        elif name == 'printenv' and len(argv) > 1:
            if argv[1] in variables: put('%s=%s\\n' % (argv[1], variables[argv[1]]))
            else: put('## Error: "%s" not defined\\n' % argv[1])
        elif name == 'printenv':
            text = ''.join('%s=%s\\n' % pair for pair in variables.items())
            put(text + '\\nEnvironment size: %d/65532 bytes\\n' % (len(text) + 1))
        elif name == 'crc32':
            start, count = int(argv[1], 16), int(argv[2], 16)
            put('CRC32 for %08x ... %08x ==> %08x\\n' % (
                start, start + count - 1, zlib.crc32(bytes(count))))
        else: put("Unknown command '%s' - try 'help'\\n" % argv[0])
    while True:
        put('MX28 U-Boot > ')
        for piece in pieces(line()):
            argv = words(piece)
            if argv: run(argv)
    """

  private func board(lacking: String = "") throws -> LineShell {
    try LineShell(
      .dash, script: "exec /usr/bin/python3 -c \"$SCRIPT\"",
      environment: ["SCRIPT": Self.script, "LACKING": lacking])
  }

  private func seconds(_ seconds: Double) -> Deadline { .after(seconds: seconds) }

  private func shell(_ board: LineShell) throws -> UBootShell {
    let shell = UBootShell(board.link, options: UBootOptions(lineLimit: 256))
    try shell.reach(until: seconds(40))
    return shell
  }

  @Test func learnsThatThereIsNoHush() throws {
    let board = try board()
    let shell = try shell(board)
    #expect(shell.parser == .simple)
    #expect(!shell.isEditing)
    #expect(shell.prompt == Array("MX28 U-Boot > ".utf8))
    #expect(shell.version == "U-Boot 2010.06 (Jan 01 2012 - 00:00:00)")
  }

  @Test(arguments: [
    ("echo a", "a\n"), ("echo a; echo b", "a\nb\n"), ("false", ""), ("echo 'a;b'", "a;b\n"),
    ("nosuch", "Unknown command 'nosuch' - try 'help'\n"), ("echo $?", "$?\n"),
    ("sleep 3; echo late", "late\n")
  ])
  func givesOutputAndNoStatus(command: String, output: String) throws {
    let board = try board()
    let reply = try shell(board).run(command, until: seconds(20))
    #expect(reply.status == nil)
    #expect(reply.text == output)
    #expect(reply.isFramed)
  }

  @Test(arguments: [
    "true && echo a", "false||echo a", "if true;then echo a;fi", "for i in 1;do echo $i;done",
    "while false;do echo a;done", "echo a\necho b"
  ])
  func refusesWhatOnlyHushUnderstands(command: String) throws {
    let board = try board()
    let shell = try shell(board)
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try shell.run(command, until: seconds(20))
    }
    #expect(failure?.code == .unsupported)
    #expect(try shell.run("echo x", until: seconds(10)).text == "x\n")
  }

  @Test func readsAndSetsVariables() throws {
    let board = try board()
    let shell = try shell(board)
    #expect(try shell.variable("bootdelay", until: seconds(10)) == Array("3".utf8))
    #expect(try shell.variable("nosuch", until: seconds(10)) == nil)
    try shell.set("a", to: Array("b c".utf8), until: seconds(20))
    #expect(try shell.variables(until: seconds(10))["a"] == Array("b c".utf8))
    // Two blanks are one there, and that is said.
    let failure = #expect(throws: ConnectionFailure.self) {
      try shell.set("a", to: Array("b  c".utf8), until: seconds(20))
    }
    #expect(failure?.code == .badReply)
  }

  @Test(.needsLRZSZ, arguments: ["loady", "crc32"])
  func saysThatFilesCannotBeLoaded(lacking: String) throws {
    let scratch = try Scratch()
    try scratch.write("file", [1, 2, 3])
    let board = try board(lacking: lacking)
    let shell = try shell(board)
    let failure = #expect(throws: ConnectionFailure.self) {
      _ = try shell.load(
        try UBootFile(scratch.path + "/file"), at: .number(0x4200_0000), until: seconds(40))
    }
    #expect(failure?.code == .unsupported)
    #expect(failure?.message.contains("no '\(lacking)'") == true, "\(failure?.message ?? "")")
    #expect(try shell.run("echo x", until: seconds(10)).text == "x\n")
  }
}
