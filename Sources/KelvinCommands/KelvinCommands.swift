enum KelvinCommands {}
