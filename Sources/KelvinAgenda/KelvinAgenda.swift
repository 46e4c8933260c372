/// KelvinAgenda reads agendas and configuration files: it locates every mistake, merges what global
/// settings, sections and workloads say, checks it against the declarations passed in, and plans
/// the jobs.
///
/// It must not know how a job runs; it touches no device.
enum KelvinAgenda {}
