package similar

// boilerplate lists wordings that say nothing about which problem it is.
// It is only read.
var boilerplate = []string{
	"Find the number of", "Find the sum of all", "Find the value of", "Find the remainder when this is divided by 1000.",
	"How many positive integers are there such that", "How many different ways are there to", "What is the value of", "What is the sum of",
	"What is the smallest positive integer such that", "What is the largest possible value of", "What is the probability that",
	"Let x be a positive integer", "Let x be the number of", "Let x and y be real numbers such that", "positive real numbers such that",
	"for all real numbers x", "for all positive integers n", "for some constants a and b", "there are exactly", "there exist",
	"where m and n are relatively prime positive integers. Find m+n.", "can be written in the form", "can be expressed as m/n where m and n",
	"The probability that", "can be written as", "Express your answer as a common fraction.", "Express your answer in simplest form.",
	"Express your answer in the form", "Express your answer in terms of", "Enter your answer as a comma-separated list.",
	"Enter your answer in the form", "Enter your answer as an interval", "Round your answer to the nearest tenth.", "to the nearest hundredth",
	"Determine the value of", "Determine the number of", "Determine all", "Compute the value of", "Compute the sum of", "Compute the number of",
	"Evaluate the expression", "Simplify the expression", "Solve for x", "Suppose that", "Given that", "such that", "respectively",
	"In triangle ABC", "the area of triangle ABC", "the length of segment AB", "the measure of angle ABC in degrees", "the radius of the circle",
	"where a, b, and c are positive integers and", "is not divisible by the square of any prime.", "Find a+b+c.", "the greatest integer less than or equal to x",
	"the sum of the digits of", "the product of the", "the number of ordered pairs", "the equation of the line", "in the coordinate plane",
	"Assume that", "Consider the", "at random", "is chosen at random", "if and only if", "with the property that", "as shown in the diagram",
	"in the figure", "In the diagram", "Please reason step by step, and put your final answer within boxed.", "dollars does", "in total", "altogether",
}
