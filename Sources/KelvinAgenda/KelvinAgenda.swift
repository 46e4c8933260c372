/// KelvinAgenda reads agendas and config files, locates every mistake in them, merges and validates
/// what they say against the declarations passed in, and plans the jobs. It reads bench files and
/// profiles of boards and meters in the same way.
///
/// It must not know how a job runs, and touches no device: everything here is a function of files
/// and declarations.
enum KelvinAgenda {}
