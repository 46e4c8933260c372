import KelvinModel
import KelvinOutputs
import KelvinStore
import Testing

struct JUnitOutputTests {
  let directory = TemporaryDirectory()
  let run: SampleRun
  let file: String

  init() throws {
    run = try SampleRun(at: directory("run"))
    file = directory("run/junit.xml")
  }

  private var schema: String {
    let path = #filePath
    return path[..<(path.lastIndex(of: "/") ?? path.endIndex)] + "/Fixtures/junit.xsd"
  }

  @Test(.enabled(if: hasTool("xmllint"), "needs xmllint, apt install libxml2-utils"))
  func isValid() throws {
    _ = try JUnitOutput.make().process(run: run.reader, to: run.path)
    var result = shell("xmllint --noout --schema \(schema) \(file) 2>&1")
    #expect(result.code == 0, "\(result.output)")
    try run.fill()
    _ = try JUnitOutput.make().process(run: run.reader, to: run.path)
    result = shell("xmllint --noout --schema \(schema) \(file) 2>&1")
    #expect(result.code == 0, "\(result.output)")
  }

  @Test(.enabled(if: hasTool("python3"), "needs python3")) func saysHowEachJobWent() throws {
    try run.fill()
    let artifacts = try JUnitOutput.make().process(run: run.reader, to: run.path)
    #expect(artifacts.map(\.path) == ["junit.xml"])
    let text = python(
      """
      import xml.etree.ElementTree as ET
      suite = ET.parse('\(file)').getroot().find('testsuite')
      print(repr(suite.get('name')))
      print([suite.get(k) for k in ('tests', 'failures', 'errors', 'skipped', 'time', 'timestamp')])
      for case in suite.iter('testcase'):
          print(case.get('classname'), '|', case.get('name'), case.get('time'),
              [(c.tag, c.get('type')) for c in case if c.tag != 'system-out'])
      print(repr(suite.findall('testcase')[2].find('failure').get('message')))
      print(repr(suite.findall('testcase')[0].find('flakyFailure').get('message')))
      for line in suite.findall('testcase')[0].find('system-out').text.split('\\n', 3): print(repr(line))
      """, in: directory)
    #expect(
      text == #"""
        'a "run", <with> & \'all\'\nof it �✓'
        ['7', '1', '3', '2', '10.500', '2023-11-14T22:13:20']
        openssl, "fast" | wk1 iteration 1 3.000 [('flakyFailure', 'failed: workload')]
        idle | wk2 iteration 1 1.500 [('error', 'partial')]
        openssl, "fast" | wk1 iteration 2 3.000 [('failure', 'failed: workload'), ('rerunFailure', 'failed: workload')]
        idle | wk2 iteration 2 1.500 [('error', 'aborted')]
        openssl, "fast" | wk1 iteration 3 1.500 [('error', 'failed: timeout')]
        idle | wk2 iteration 3 0.000 [('skipped', 'skipped')]
        idle | wk2 iteration 4 0.000 [('skipped', 'skipped')]
        'exit code 1: <&>��"\'\nsecond line'
        'attempt 1: exit code 1: <&>��"\'\nsecond line'
        'execution_time: 1.5 s'
        'interrupts{cpu=0}: 12'
        'interrupts{cpu=1}: 34'
        'version: 1,2 "three"\r\nfour\nodd: nan\nodder: -inf'

        """#)
  }
}
