/// KelvinTargets is the software view of a board that is up: its platform, its identity, what is
/// installed on it, and whether it still answers.
///
/// It must not know jobs or meters, nor how bytes reach the board.
enum KelvinTargets {}
