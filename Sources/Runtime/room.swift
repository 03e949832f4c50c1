enum RuntimeRoom {}
