"""From usage to a fair share: price cards, pools of cost, policies, and who pays how much of them."""
