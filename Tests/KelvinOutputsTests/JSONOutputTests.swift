import KelvinModel
import KelvinOutputs
import KelvinStore
import Testing

struct JSONOutputTests {
  let directory = TemporaryDirectory()
  let run: SampleRun

  init() throws { run = try SampleRun(at: directory("run")) }

  /// What a Python expression on the document gives.
  private func evaluate(_ expression: String) -> String {
    python(
      """
      import json
      def no(word): raise ValueError(word)
      d = json.load(open('\(run.path)/results.json'), parse_constant=no)
      print(\(expression))
      """, in: directory)
  }

  @Test(.enabled(if: hasTool("python3"), "needs python3")) func holdsAllThatHappened() throws {
    try run.fill()
    let artifacts = try JSONOutput.make().process(run: run.reader, to: run.path)
    #expect(artifacts.map(\.path) == ["results.json"])
    #expect(evaluate("d['format'], d['version']") == "kelvin-results 1\n")
    #expect(evaluate("d['run']['name']") == SampleRun.name + "\n")
    #expect(
      evaluate("d['run']['created'], d['run']['verdict'], d['run']['reason']")
        == "2023-11-14T22:13:20.123Z failed: workload 2 of 7 jobs\n")
    #expect(evaluate("d['run']['settings']['seed']") == "\(UInt64.max)\n")
    #expect(evaluate("[m['value'] for m in d['run']['metrics']]") == "[12.25]\n")
    #expect(evaluate("[s['id'] for s in d['specs']]") == "['wk1', 'wk2']\n")
    #expect(
      evaluate("d['specs'][0]['parameters']") == "{'argv': ['a', 'b'], 'duration': 5.0}\n")
    #expect(
      evaluate("[(j['id'], j['iteration'], j['verdict'], len(j['attempts'])) for j in d['jobs']]")
        == """
        [('wk1', 1, 'ok', 2), ('wk2', 1, 'partial', 1), ('wk1', 2, 'failed: workload', 2), \
        ('wk2', 2, 'aborted', 1), ('wk1', 3, 'failed: timeout', 1), ('wk2', 3, 'skipped', 0), \
        ('wk2', 4, None, 0)]

        """)
    #expect(
      evaluate("[m['value'] for m in d['jobs'][0]['attempts'][1]['metrics']]")
        == "[1.5, 12, 34, '1,2 \"three\"\\r\\nfour', 'nan', '-inf']\n")
    #expect(
      evaluate("d['jobs'][0]['attempts'][1]['stages']['run']")
        == "{'end_ns': 1250000000, 'start_ns': 1000000}\n")
    #expect(
      evaluate("d['fingerprints'][str(d['jobs'][0]['attempts'][1]['fingerprint'])]")
        == "{'kernel': '6.1'}\n")
    #expect(evaluate("[e['message'] for e in d['run']['events']]") == "['SIGINT']\n")
    #expect(evaluate("[l['process_id'] for l in d['run']['lives']]") == "[1]\n")
  }

  @Test(.enabled(if: hasTool("python3"), "needs python3")) func isValidForARunThatNeverBegan()
    throws
  {
    _ = try JSONOutput.make().process(run: run.reader, to: run.path)
    #expect(evaluate("len(d['jobs']), d['run']['verdict'], d['fingerprints']") == "7 None {}\n")
  }

  /// Each key is described in docs/outputs.md, and each that is described is there.
  @Test(.enabled(if: hasTool("python3"), "needs python3")) func isDocumentedCompletely() throws {
    try run.fill()
    _ = try JSONOutput.make().process(run: run.reader, to: run.path)
    let keys = python(
      """
      import json
      free = {'parameters', 'classifiers', 'augmentations', 'changes', 'fingerprints'}
      found = set()
      def walk(value, path):
          if isinstance(value, dict):
              for key, element in value.items():
                  here = path + '.' + key if path else key
                  found.add(here)
                  if key not in free: walk(element, here)
          elif isinstance(value, list):
              for element in value: walk(element, path)
      walk(json.load(open('\(run.path)/results.json')), '')
      print('\\n'.join(sorted(found)))
      """, in: directory
    ).split(separator: "\n").map(String.init)
    let file = #filePath
    let root = file[..<(try #require(file.firstRange(of: "/Tests/")).lowerBound)]
    let text = try #require(readText(root + "/docs/outputs.md"))
    let documented = text.split(separator: "\n").compactMap { line -> String? in
      guard line.hasPrefix("| `"), let end = line.dropFirst(3).firstIndex(of: "`") else {
        return nil
      }
      return String(line.dropFirst(3)[..<end])
    }
    #expect(Set(documented) == Set(keys))
  }
}
