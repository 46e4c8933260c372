internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Asks several hubs at once: a sleeping hub takes some tens of milliseconds to wake, and one that hangs
/// holds up nobody but its own thread.
final class HubSurvey: Sendable {
  private let answers: Mutex<[Int: HubPorts.Switching]> = Mutex([:])
  private let done = Interrupt()
  private let count: Int

  private init(count: Int) { self.count = count }

  /// The ports of each hub; what has not answered by the deadline is not known.
  static func ports(of hubs: [HostDevice], until deadline: Deadline) -> [HubPorts] {
    let survey = HubSurvey(count: hubs.count)
    let threads = hubs.enumerated().map { index, hub in
      try? NamedThread("hub") {
        survey.answer(index, HubPorts.ask(hub, until: deadline))
      }
    }
    let bare = hubs.map { HubPorts($0, switching: .notKnown) }
    if !hubs.isEmpty, threads.contains(where: { $0 != nil }) {
      _ = deadline.wait(for: survey.done.descriptor)
    }
    let answers = survey.answers.withLock { $0 }
    return bare.enumerated().map { index, ports in
      HubPorts(ports, switching: answers[index] ?? .notKnown)
    }
  }

  private func answer(_ index: Int, _ switching: HubPorts.Switching) {
    let isComplete = answers.withLock { answers in
      answers[index] = switching
      return answers.count == count
    }
    if isComplete { done.raise() }
  }
}
