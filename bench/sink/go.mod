module bench/sink

go 1.21
