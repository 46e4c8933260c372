enum KelvinExecution {}
