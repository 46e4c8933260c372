import KelvinModel
import KelvinOutputs
import Testing

struct OutputsTests {
  @Test func declaresOutputsUnderDifferentNames() {
    let names = Outputs.all.map { $0.declaration.name }
    #expect(Set(names).count == names.count)
    #expect(Outputs.all.allSatisfy { $0.declaration.kind == .output })
  }
}
