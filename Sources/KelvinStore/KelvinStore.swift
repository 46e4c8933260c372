/// KelvinStore keeps the truth about a run in one SQLite database, `run.db`: schema, migrations,
/// durability, captures, queries.
///
/// It must not know who writes or who reads, nor how a job runs or an output looks.
enum KelvinStore {}
