"""What is known of a site: limits of its QOS, sizes of its nodes, what a job there has to say."""
