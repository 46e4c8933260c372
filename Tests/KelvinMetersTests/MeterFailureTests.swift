import KelvinConnections
import KelvinMeters
import KelvinModel
import Testing

struct MeterFailureTests {
  @Test func keepsWhatTheConnectionSaid() {
    let lost = ConnectionFailure(.connectionLost, "ssh rock: lost", evidence: "EOF", hint: "look")
    let failure = MeterFailure(lost, of: "ina")
    #expect(failure.description == "ina: ssh rock: lost (EOF); look")
    #expect(failure.kind == .infrastructure)
  }
}
