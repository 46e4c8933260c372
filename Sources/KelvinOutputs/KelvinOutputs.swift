/// KelvinOutputs derives files and views from a run's store: results.csv, results.json, junit.xml,
/// status.txt, an archive, and the summary for a terminal.
///
/// It must not know targets, meters, or how a job runs: an output reads the store only.
enum KelvinOutputs {}
