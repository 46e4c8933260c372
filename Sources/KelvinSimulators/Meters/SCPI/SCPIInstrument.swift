internal import KelvinModel
internal import Synchronization

/// An instrument that several connections may speak to: its settings, its queue of errors, and what it said.
package final class SCPIInstrument: Sendable {
  /// What a channel is set to.
  package struct Output: Sendable, Hashable {
    package var voltage = 0.0
    package var currentLimit = 1.0
    package var isOn = false
    package var overVoltage = 33.0
    package var overVoltageIsOn = false
    package var overCurrent = 3.3
    package var overCurrentIsOn = false

    /// As a new one is.
    package init() {}
  }

  /// A value that was answered, and when it was taken.
  package struct Answer: Sendable, Hashable {
    /// On this machine's monotonic clock, in nanoseconds.
    package var time: Int64
    package var channel: Int
    package var quantity: SCPIQuantity
    /// As it was written.
    package var text: String
  }

  package struct State: Sendable {
    package var outputs: [Output]
    /// `-113,"Undefined header"`, the oldest first.
    package var errors: [String] = []
    /// Newest last; up to a million.
    package var answers: [Answer] = []
    /// Answers with values, of all connections.
    var said = 0
    /// Lines that it does not know.
    package var unknown: [String] = []
    /// Lines that set something.
    package var settings: [String] = []
    /// Of a multimeter.
    package var function = SCPIQuantity.voltage
    /// When its own logging began, on the same clock, and nanoseconds from sample to sample; nil: it does not log.
    package var log: (begin: Int64, period: Double)?
    /// What it is told to log: nanoseconds from sample to sample, and which values.
    package var logPeriod = 1e6
    var logsVoltage = true
    var logsCurrent = true
    /// Samples, or pieces, that were fetched or overwritten.
    var logged: Int64 = 0
    var generator: SeededGenerator
  }

  package let model: SCPIModel
  let faults: SCPIFaults
  /// When the waveform began.
  package let begin = MonotonicTime.now.nanoseconds
  private let state: Mutex<State>

  /// - Parameter volts: that channel 1 is set to, and on.
  package init(_ model: SCPIModel, faults: SCPIFaults = SCPIFaults(), volts: Double? = nil) {
    self.model = model
    self.faults = faults
    var outputs = Array(repeating: Output(), count: model.channels)
    if let volts {
      outputs[0].voltage = volts
      outputs[0].isOn = true
    }
    var state = State(outputs: outputs, generator: SeededGenerator(seed: 1))
    state.errors = Array(
      repeating: "-410,\"Query INTERRUPTED\"", count: faults.oldErrors)
    self.state = Mutex(state)
  }

  package var now: State { state.withLock { $0 } }

  func change<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
    state.withLock { body(&$0) }
  }

  func fail(_ error: String) {
    state.withLock { if $0.errors.count < 20 { $0.errors.append(error) } }
  }

  /// What is true of a channel, in volts, amperes or watts.
  package func truth(_ quantity: SCPIQuantity, _ channel: Int, at time: Int64) -> Double {
    let output = state.withLock { $0.outputs[channel - 1] }
    if model.isMeter {
      let amperes = SCPIWaveform.current(1, at: Double(time &- begin) / 1e9)
      return quantity == .voltage ? 5 : amperes
    }
    guard output.isOn else { return 0 }
    var amperes = SCPIWaveform.current(channel, at: Double(time &- begin) / 1e9)
    var volts = output.voltage
    if amperes > output.currentLimit {
      volts *= output.currentLimit / amperes
      amperes = output.currentLimit
    }
    return quantity == .voltage ? volts : quantity == .current ? amperes : volts * amperes
  }

  /// Measures now, and remembers what it says.
  func measure(_ quantity: SCPIQuantity, _ channel: Int) -> String {
    let time = MonotonicTime.now.nanoseconds
    var value = truth(quantity, channel, at: time)
    return state.withLock { state in
      if faults.noise > 0, quantity != .voltage {
        value += .random(in: -faults.noise...faults.noise, using: &state.generator)
      }
      let text = model.text(value, quantity)
      if state.answers.count < 1_000_000 {
        state.answers.append(
          Answer(time: time, channel: channel, quantity: quantity, text: text))
      }
      return text
    }
  }
}
