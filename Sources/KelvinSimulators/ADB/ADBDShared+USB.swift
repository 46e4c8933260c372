internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

extension ADBDShared {
  /// Serves one host after the other on USB until it is stopped. A restart unplugs the device, and so
  /// does a host that says what no host says.
  func serve(_ gadget: FunctionGadget, _ stopping: Interrupt) {
    let forever = Deadline(time: nil, interrupt: stopping)
    var isPlugged = true
    while !stopping.isRaised {
      guard isPlugged || (try? gadget.plug()) != nil else {
        _ = forever.limited(toSeconds: 0.05).wait()
        continue
      }
      serveOneLife(gadget, stopping)
      isPlugged = false
      let restart = state.withLock { state in
        defer { state.restart = nil }
        if let restart = state.restart { state.isRoot = restart.isRoot }
        return state.restart
      }
      _ = forever.limited(toSeconds: restart?.seconds ?? 0.1).wait()
    }
  }

  /// From the plugging in to the unplugging.
  private func serveOneLife(_ gadget: FunctionGadget, _ stopping: Interrupt) {
    let (life, dropping) = (Interrupt(), Doorbell())
    let thread = try? NamedThread("adbd-link") {
      while !life.isRaised {
        self.state.withLock { $0.connections += 1 }
        ADBDSession(self, ADBDCable(gadget, ending: life, dropping: dropping), life).run()
      }
    }
    var polled = [stopping.descriptor, restarting.descriptor, dropping.descriptor].map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    if thread != nil { while poll(&polled, 3, -1) < 0, errno == EINTR {} }
    if polled[1].revents != 0 {
      restarting.silence()
      // What it said last must have reached the host: a kernel that is told to unplug a gadget in this
      // moment may cancel the host's transfer that has just taken it.
      _ = Deadline.after(seconds: 0.1, interrupt: stopping).wait()
    }
    life.raise()
    // Reads and writes on USB end with this alone.
    gadget.unplug()
    thread?.join()
  }
}
