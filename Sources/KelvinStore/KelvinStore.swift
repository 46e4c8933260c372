enum KelvinStore {}
