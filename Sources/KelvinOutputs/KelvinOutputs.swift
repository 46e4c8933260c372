enum KelvinOutputs {}
