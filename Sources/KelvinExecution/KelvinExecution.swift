/// KelvinExecution carries a plan out: signals, instruments, workloads and the runner that takes
/// each job through its life cycle on a target.
///
/// It must not know how anything is printed, nor which outputs exist; observers are told what
/// happens and cannot stop it.
enum KelvinExecution {}
