enum KelvinTargets {}
