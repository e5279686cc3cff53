"""Site profiles: limits of the QOS, sizes of the nodes, options that jobs need; and warnings about a plan."""
