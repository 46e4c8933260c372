internal import KelvinModel
internal import KelvinSystem

extension Deadline {
  /// Blocks the calling thread until one of these is raised, the deadline's own interrupt is, or it passes.
  func wait(forAny interrupts: [Interrupt]) {
    let all = interrupts + [interrupt].compactMap(\.self)
    _ = Deadline(time: time, interrupt: Interrupt(with: all)).wait()
  }
}
