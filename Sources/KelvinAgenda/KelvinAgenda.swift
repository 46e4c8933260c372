enum KelvinAgenda {}
