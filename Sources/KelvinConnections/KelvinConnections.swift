/// KelvinConnections reaches targets: it runs commands, moves files, reads and writes values, and
/// samples files at absolute deadlines, over whatever leads to the board.
///
/// It must not know what a command or a file means, nor any job, setting or meter.
enum KelvinConnections {}
